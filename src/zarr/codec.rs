//! The codecs that chunks can be stored with, as one table: what the user writes and what Zarr's metadata says.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::error::{Error, Result};
use crate::base::near_names::near_names;
use crate::segy::Dtype;
use crate::zarr::blosc::{Blosc, Shuffle, Unblosc};
use crate::zarr::planes;

/// A chosen compressor: its name and level. Serialised as the user writes it, `zstd:3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Codec {
    /// Row of `CODECS`.
    row: usize,
    level: u8,
}

struct Row {
    name: &'static str,
    /// What `--help` says.
    about: &'static str,
    levels: std::ops::RangeInclusive<u8>,
    default_level: u8,
    packing: Packing,
    /// The codecs in Zarr v3 metadata, from the values of a chunk to its bytes.
    definition: fn(level: u8, dtype: Dtype) -> Vec<Value>,
}

/// How the bytes of a chunk are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    AsIs,
    /// LZ4 in Blosc's container.
    Lz4(Shuffle),
    /// Zstandard in Blosc's container, each byte plane separately.
    Planes,
    Zstd,
    Gzip,
    #[cfg(feature = "pcodec")]
    Pco,
}

/// Adding a codec is adding a row. All but `pcodec` are read by zarr-python 3 without further packages.
const CODECS: &[Row] = &[
    Row {
        name: "none",
        about: "samples as they are",
        levels: 0..=0,
        default_level: 0,
        packing: Packing::AsIs,
        definition: |_, _| vec![little_endian()],
    },
    Row {
        name: "lz4",
        about: "Blosc LZ4 after a byte shuffle",
        levels: 1..=9,
        default_level: 5,
        packing: Packing::Lz4(Shuffle::Byte),
        definition: |level, dtype| vec![little_endian(), blosc("lz4", level, "shuffle", dtype)],
    },
    Row {
        name: "lz4-bit",
        about: "Blosc LZ4 after a bit shuffle",
        levels: 1..=9,
        default_level: 5,
        packing: Packing::Lz4(Shuffle::Bit),
        definition: |level, dtype| vec![little_endian(), blosc("lz4", level, "bitshuffle", dtype)],
    },
    Row {
        name: "zstd",
        about: "Blosc Zstandard, each byte of the samples by itself",
        levels: 1..=9,
        default_level: 2,
        packing: Packing::Planes,
        definition: |level, dtype| vec![little_endian(), blosc("zstd", level, "shuffle", dtype)],
    },
    Row {
        name: "zstd-plain",
        about: "Zstandard alone",
        levels: 1..=22,
        default_level: 1,
        packing: Packing::Zstd,
        definition: |level, _| {
            vec![little_endian(), json!({"name": "zstd", "configuration": {"level": level, "checksum": false}})]
        },
    },
    Row {
        name: "gzip",
        about: "gzip",
        levels: 1..=9,
        default_level: 1,
        packing: Packing::Gzip,
        definition: |level, _| vec![little_endian(), json!({"name": "gzip", "configuration": {"level": level}})],
    },
    #[cfg(feature = "pcodec")]
    Row {
        name: PCODEC,
        about: "Pco, for the smallest output; readers need the package of this name",
        levels: 0..=12,
        default_level: 8,
        packing: Packing::Pco,
        definition: |level, _| {
            vec![json!({"name": "numcodecs.pcodec", "configuration": {
                "level": level, "mode_spec": "auto", "delta_spec": "auto", "delta_encoding_order": null,
                "paging_spec": "equal_pages_up_to", "equal_pages_up_to": crate::zarr::whole::PCO_PAGE_VALUES
            }})]
        },
    },
];

/// The codec that is only there if the program was built with the feature of the same name.
const PCODEC: &str = "pcodec";

pub(super) fn little_endian() -> Value {
    json!({"name": "bytes", "configuration": {"endian": "little"}})
}

fn blosc(compressor: &str, level: u8, shuffle: &str, dtype: Dtype) -> Value {
    json!({"name": "blosc", "configuration": {
        "cname": compressor, "clevel": level, "shuffle": shuffle, "typesize": dtype.size(), "blocksize": 0
    }})
}

impl Codec {
    /// The codecs of a chunk of this type, stored trace after trace, as Zarr v3 metadata without the checksum.
    pub fn definitions(&self, dtype: Dtype) -> Vec<Value> {
        (self.row().definition)(self.level, dtype)
    }

    /// Whether it takes values of this type.
    pub fn takes(&self, dtype: Dtype) -> bool {
        self.row().name != PCODEC || dtype.size() > 1
    }

    /// Whether chunks are stored as they are.
    pub fn is_none(&self) -> bool {
        self.packing() == Packing::AsIs
    }

    pub(super) fn packing(&self) -> Packing {
        self.row().packing
    }

    pub(super) fn level(&self) -> u8 {
        self.level
    }

    /// The encoder of chunks of this size, if it packs them in Blosc's container.
    pub(super) fn blosc(&self, item_bytes: usize, chunk_bytes: usize) -> Option<Blosc> {
        match self.packing() {
            Packing::Lz4(shuffle) => Blosc::lz4(item_bytes, chunk_bytes, shuffle, self.level),
            Packing::Planes => planes::encoder(item_bytes, chunk_bytes, self.level),
            _ => None,
        }
    }

    /// The decoder for [`Codec::blosc`].
    pub(super) fn unblosc(&self, item_bytes: usize, chunk_bytes: usize) -> Option<Unblosc> {
        match self.packing() {
            Packing::Lz4(_) => Unblosc::lz4(item_bytes, chunk_bytes),
            Packing::Planes => planes::decoder(item_bytes, chunk_bytes),
            _ => None,
        }
    }

    fn row(&self) -> &'static Row {
        &CODECS[self.row]
    }

    /// One line for `--help`: the names with their levels.
    pub fn help() -> String {
        let row = |r: &Row| match r.levels.end() {
            0 => format!("{} ({})", r.name, r.about),
            end => format!("{}[:1-{end}] ({}, default {})", r.name, r.about, r.default_level),
        };
        CODECS.iter().map(row).collect::<Vec<_>>().join(", ")
    }
}

impl Default for Codec {
    fn default() -> Self {
        const ZSTD: usize = 3;
        Self { row: ZSTD, level: CODECS[ZSTD].default_level }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_none() { f.write_str("none") } else { write!(f, "{}:{}", self.row().name, self.level) }
    }
}

impl std::str::FromStr for Codec {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let (name, level) = s.split_once(':').map_or((s, None), |(n, l)| (n, Some(l)));
        let Some(index) = CODECS.iter().position(|r| r.name.eq_ignore_ascii_case(name)) else {
            if name.eq_ignore_ascii_case(PCODEC) {
                let how = "this program was built without it; cargo builds it in with --features pcodec";
                return Err(Error::Usage(format!("the codec \"{name}\": {how}")));
            }
            let near = near_names(name, CODECS.iter().map(|r| r.name));
            return Err(Error::Usage(format!("\"{name}\" is not a codec; {near}")));
        };
        let row = &CODECS[index];
        let level = match level {
            None => row.default_level,
            Some(text) => text.parse().ok().filter(|l| row.levels.contains(l)).ok_or_else(|| {
                let (low, high) = (row.levels.start(), row.levels.end());
                Error::Usage(match high {
                    0 => format!("the codec \"{name}\" has no levels"),
                    _ => format!("\"{text}\" is not a level of the codec \"{name}\"; it has {low} to {high}"),
                })
            })?,
        };
        Ok(Self { row: index, level })
    }
}

impl From<Codec> for String {
    fn from(codec: Codec) -> Self {
        codec.to_string()
    }
}

impl TryFrom<String> for Codec {
    type Error = Error;

    fn try_from(s: String) -> Result<Self> {
        s.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_written_as_it_is_read() {
        for (row, definition) in CODECS.iter().enumerate() {
            for level in [*definition.levels.start(), *definition.levels.end()] {
                let codec = Codec { row, level };
                assert_eq!(codec.to_string().parse::<Codec>().unwrap(), codec);
            }
        }
    }

    #[test]
    fn the_default_packs_byte_planes() {
        assert_eq!(Codec::default().to_string(), "zstd:2");
    }

    #[test]
    fn a_misspelt_codec_is_answered_with_near_names() {
        let message = "ztd".parse::<Codec>().unwrap_err().to_string();
        assert!(message.contains("zstd"), "{message}");
    }

    #[test]
    fn a_level_out_of_range_is_refused() {
        assert!("zstd:99".parse::<Codec>().is_err());
        assert!("none:1".parse::<Codec>().is_err());
    }
}
