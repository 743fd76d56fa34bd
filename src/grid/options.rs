//! What the user asks for with `--grid` and the options that go with it.

use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::grid::{HeaderType, TRACE};

/// The axes of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GridKeys {
    /// Those that give every trace a place of its own.
    Auto,
    /// These header fields; the last may be `trace`.
    Fields(Vec<String>),
}

impl FromStr for GridKeys {
    type Err = Error;

    /// `auto`, `inline,crossline`, `cdp,trace`.
    fn from_str(text: &str) -> Result<Self> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).filter(|n| !n.is_empty()).collect();
        let refuse = |what: String| Err(Error::Usage(format!("--grid {text}: {what}")));
        if names.is_empty() {
            return refuse("needs names of header fields, or auto".into());
        }
        if let [only] = names.as_slice()
            && only.eq_ignore_ascii_case("auto")
        {
            return Ok(Self::Auto);
        }
        if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return refuse(format!("names {} twice", twice.1));
        }
        match names.iter().rev().skip(1).any(|name| name == TRACE) {
            true => {
                refuse(format!("{TRACE} counts the traces at the same place of the other keys; it has to be the last"))
            }
            false => Ok(Self::Fields(names)),
        }
    }
}

/// A length along each axis, in the order of `--grid` with the samples last. `None` is `all`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lengths(pub Vec<Option<u64>>);

impl FromStr for Lengths {
    type Err = Error;

    /// `64,64,all`.
    fn from_str(text: &str) -> Result<Self> {
        let length = |word: &str| match word.trim() {
            "all" => Ok(None),
            number => match number.parse() {
                Ok(n @ 1..=0x4000_0000) => Ok(Some(n)),
                _ => Err(Error::Usage(format!("{text}: {number} is neither a number from 1 up nor \"all\""))),
            },
        };
        text.split(',').map(length).collect::<Result<_>>().map(Self)
    }
}

/// `KEY=FIRST:STEP`: values of a key are moved to the nearest of FIRST, FIRST + STEP, …
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bin {
    /// The key.
    pub key: String,
    /// The centre of one bin.
    pub first: i64,
    /// From one centre to the next.
    pub step: i64,
}

impl FromStr for Bin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = || {
            let (key, numbers) = text.split_once('=')?;
            let (first, step) = numbers.split_once(':')?;
            let limit = |n: &i64| n.unsigned_abs() < 1 << 40;
            let first = first.trim().parse().ok().filter(limit)?;
            let step = step.trim().parse().ok().filter(limit).filter(|&step| step > 0)?;
            Some(Self { key: key.trim().to_owned(), first, step })
        };
        parsed().ok_or_else(|| {
            Error::Usage(format!("--bin {text}: is not KEY=FIRST:STEP with whole numbers, as in offset=100:50"))
        })
    }
}

/// A coordinate reference system: an authority with its code, like `EPSG:32610`, or WKT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crs(pub String);

impl FromStr for Crs {
    type Err = Error;

    /// `32610` and `EPSG:32610` are the same.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let is_code = |code: &str| !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            return Ok(Self(format!("EPSG:{text}")));
        }
        if let Some((authority, code)) = text.split_once(':')
            && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !authority.is_empty()
            && is_code(code)
        {
            return Ok(Self(format!("{}:{code}", authority.to_ascii_uppercase())));
        }
        let is_wkt = text.split_once('[').is_some_and(|(word, rest)| {
            word.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && !word.is_empty()
                && rest.ends_with(']')
        });
        match is_wkt {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::Usage(format!("--crs {text}: is neither a code like EPSG:32610 nor WKT"))),
        }
    }
}

/// What happens to a second trace at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// The import is refused, naming some.
    #[default]
    Refuse,
    /// It stays out of the grid, in the header table and an array of its own.
    Aside,
}

/// Order of the axes, and of the values along them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AxesOrder {
    /// Keys as given, values ascending.
    #[default]
    Ascending,
    /// As the traces come in the file: the key that changes least first, values in the direction of the file.
    File,
}

/// Whether the traces of an unsorted file are first written to buckets, each of neighbouring bricks. The dataset does not depend
/// on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spill {
    /// Where reading them one by one would be slow, and there is room.
    #[default]
    Auto,
    /// Where it is possible.
    Always,
    /// They are read one by one.
    Never,
}

/// Shards of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GridShard {
    /// One for each column of bricks, with all samples.
    Columns,
    /// Of this length along each axis, in values.
    Lengths(Lengths),
}

/// The grid the caller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridOptions {
    /// The axes but for that of the samples.
    pub keys: GridKeys,
    /// Length of a brick along each axis, in values.
    pub brick: Option<Lengths>,
    /// How bricks are grouped into files; by default each is one.
    pub shard: Option<GridShard>,
    /// Keys whose values are moved to centres of bins.
    pub bins: Vec<Bin>,
    /// What happens to a second trace at a place.
    pub duplicates: Duplicates,
    /// Order of the axes and of their values.
    pub axes: AxesOrder,
    /// Keys whose axis has every value from the smallest to the largest, in equal steps.
    pub fill_axes: Vec<String>,
    /// How the records of headers are declared.
    pub header_type: HeaderType,
    /// Of the coordinates.
    pub crs: Option<Crs>,
    /// Whether the headers of all traces are read before planning even if a few show a sorted grid without holes.
    pub is_scanned: bool,
    /// How the traces of an unsorted file are read.
    pub spill: Spill,
}

impl GridOptions {
    /// A grid with these axes, all else by default.
    pub fn new(keys: GridKeys) -> Self {
        Self {
            keys,
            brick: None,
            shard: None,
            bins: Vec::new(),
            duplicates: Duplicates::default(),
            axes: AxesOrder::default(),
            fill_axes: Vec::new(),
            header_type: HeaderType::default(),
            crs: None,
            is_scanned: false,
            spill: Spill::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_say_what_is_wrong_with_them() {
        let keys = |text: &str| text.parse::<GridKeys>().map_err(|e| e.to_string());
        assert_eq!(keys("AUTO"), Ok(GridKeys::Auto));
        assert_eq!(keys("cdp, trace"), Ok(GridKeys::Fields(vec!["cdp".into(), "trace".into()])));
        assert!(keys("trace,cdp").unwrap_err().contains("it has to be the last"));
        assert!(keys("cdp,cdp").unwrap_err().contains("names cdp twice"));
        assert!(keys(",").unwrap_err().contains("needs names"));
        assert_eq!("64, all".parse(), Ok(Lengths(vec![Some(64), None])));
        assert!("64,0".parse::<Lengths>().is_err() && "x".parse::<Lengths>().is_err());
        assert_eq!("offset=-100:50".parse(), Ok(Bin { key: "offset".into(), first: -100, step: 50 }));
        let crs = |text: &str| text.parse::<Crs>().map(|crs| crs.0);
        assert_eq!((crs("32610"), crs("epsg:32610")), (Ok("EPSG:32610".into()), Ok("EPSG:32610".into())));
        assert_eq!(crs("PROJCRS[\"UTM\", ID[\"EPSG\", 1]]"), Ok("PROJCRS[\"UTM\", ID[\"EPSG\", 1]]".into()));
        for wrong in ["", "UTM 10N", "EPSG:", ":1", "PROJCRS[", "WGS84"] {
            assert!(crs(wrong).is_err(), "{wrong}");
        }
        for wrong in ["offset", "offset=100", "offset=100:0", "offset=1:x", "offset=99999999999999:1"] {
            assert!(wrong.parse::<Bin>().is_err(), "{wrong}");
        }
    }
}
