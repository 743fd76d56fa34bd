//! Finding where the headers hold a number: for files whose fields are not in their standard places.

use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::inspect::field_keys::Headers;
use crate::inspect::scan::{Source, Visitor};
use crate::segy::ByteOrder;
use crate::segy::binary_header::{BINARY_HEADER_BYTES, BINARY_HEADER_OFFSET};
use crate::segy::fields::BINARY_FIELDS;
use crate::table::Column;

/// The scalars of the standard trace header (first bytes): elevations, coordinates, shot point.
const SCALARS: [u32; 3] = [69, 71, 201];

/// Bytes that hold the number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Where: `trace header` or `binary header`.
    pub place: &'static str,
    /// First byte, from 1: in the headers of a trace, or in the file.
    pub first_byte: u32,
    /// Last byte, likewise.
    pub last_byte: u32,
    /// The type under which the bytes give the number.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The standard field with exactly these bytes.
    pub field: Option<String>,
    /// First byte of the scalar that turns the stored value into the number.
    pub scalar_byte: Option<u32>,
    /// How many of the traces read hold it.
    pub n_traces: u64,
    /// The first of those, counted from 1.
    pub first_trace: Option<u64>,
}

/// The number in one of the forms it may be stored in.
#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    kind: &'static str,
    bytes: Vec<u8>,
    scalar_byte: Option<u32>,
}

/// Every form of `value` in this byte order. `scalars` are those of the first trace, with their first bytes.
///
/// # Errors
/// `Error::Usage` if it is not a number, or is 0, which is nearly everywhere.
fn patterns(value: &str, order: ByteOrder, scalars: &[(u32, i16)]) -> Result<Vec<Pattern>> {
    let wrong = |why: &str| Error::Usage(format!("--find {value}: {why}"));
    let number: f64 = value.trim().parse().map_err(|_| wrong("is not a number"))?;
    if !number.is_finite() || number == 0.0 {
        return Err(wrong("give a number other than 0, which is nearly everywhere"));
    }
    let mut found = Vec::new();
    let mut add = |kind, mut bytes: Vec<u8>, scalar_byte| {
        if order == ByteOrder::Little {
            bytes.reverse();
        }
        found.push(Pattern { kind, bytes, scalar_byte });
    };
    // Beyond 2^53 a double loses digits.
    let whole = value.trim().parse::<i128>().ok().or_else(|| (number.fract() == 0.0).then_some(number as i128));
    if let Some(whole) = whole {
        integer_forms(whole).into_iter().for_each(|(kind, bytes)| add(kind, bytes, None));
    }
    let single = number as f32;
    if single.is_finite() && single != 0.0 {
        add("f32", single.to_be_bytes().to_vec(), None);
    }
    add("f64", number.to_be_bytes().to_vec(), None);
    if let Some(word) = ibm_word(number) {
        add("ibm32", word.to_be_bytes().to_vec(), None);
    }
    for &(byte, scalar) in scalars.iter().filter(|(_, s)| !matches!(s, 0 | 1)) {
        let raw = if scalar > 0 { number / f64::from(scalar) } else { number * -f64::from(scalar) };
        // The stored value was an integer, and decimal fractions are rarely exact.
        if (raw - raw.round()).abs() < 1e-6 && raw.round() != 0.0 && raw.abs() < f64::from(i32::MAX) {
            add("i32", (raw.round() as i32).to_be_bytes().to_vec(), Some(byte));
        }
    }
    Ok(found)
}

fn integer_forms(value: i128) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = Vec::new();
    if let Ok(v) = i16::try_from(value) {
        forms.push(("i16", v.to_be_bytes().to_vec()));
    } else if let Ok(v) = u16::try_from(value) {
        forms.push(("u16", v.to_be_bytes().to_vec()));
    }
    if let Ok(v) = i32::try_from(value) {
        forms.push(("i32", v.to_be_bytes().to_vec()));
    } else if let Ok(v) = u32::try_from(value) {
        forms.push(("u32", v.to_be_bytes().to_vec()));
    } else if let Ok(v) = i64::try_from(value) {
        forms.push(("i64", v.to_be_bytes().to_vec()));
    } else if let Ok(v) = u64::try_from(value) {
        forms.push(("u64", v.to_be_bytes().to_vec()));
    }
    forms
}

/// The normalised IBM single that is exactly this number, if any.
fn ibm_word(value: f64) -> Option<u32> {
    let (mut fraction, mut exponent) = (value.abs(), 64);
    while fraction >= 1.0 && exponent < 128 {
        (fraction, exponent) = (fraction / 16.0, exponent + 1);
    }
    while fraction < 1.0 / 16.0 && exponent > 0 {
        (fraction, exponent) = (fraction * 16.0, exponent - 1);
    }
    let word = u32::from(value < 0.0) << 31 | (exponent & 0x7F) << 24 | (fraction * f64::from(1 << 24)) as u32;
    (crate::segy::samples::ibm::exact(word) == value).then_some(word)
}

/// Searches the headers it visits for all patterns.
pub(super) struct FindVisitor<'a> {
    patterns: &'a [Pattern],
    /// For each pattern and offset: how many traces hold it, and the first of them, from 0.
    hits: Vec<Vec<(u64, u64)>>,
}

impl FindVisitor<'_> {
    fn new(patterns: &[Pattern], width: usize) -> FindVisitor<'_> {
        FindVisitor { patterns, hits: vec![vec![(0, u64::MAX); width]; patterns.len()] }
    }
}

impl Visitor for FindVisitor<'_> {
    fn visit(&mut self, headers: &Headers, first_trace: u64, _is_adjacent: bool) {
        for (i, header) in headers.bytes.chunks_exact(headers.width).enumerate() {
            let trace = first_trace + i as u64;
            for (pattern, hits) in self.patterns.iter().zip(&mut self.hits) {
                match pattern.bytes.len() {
                    2 => search::<2>(header, &pattern.bytes, trace, hits),
                    4 => search::<4>(header, &pattern.bytes, trace, hits),
                    _ => search::<8>(header, &pattern.bytes, trace, hits),
                }
            }
        }
    }

    fn append(&mut self, next: Self) {
        for (hit, other) in self.hits.iter_mut().flatten().zip(next.hits.into_iter().flatten()) {
            *hit = (hit.0 + other.0, hit.1.min(other.1));
        }
    }
}

/// Counts where the pattern occurs in one header. With `N` known at compile time, a comparison is one instruction.
fn search<const N: usize>(header: &[u8], pattern: &[u8], trace: u64, hits: &mut [(u64, u64)]) {
    let Some(pattern) = pattern.first_chunk::<N>() else { return };
    for (window, hit) in header.windows(N).zip(hits) {
        if window.first_chunk::<N>() == Some(pattern) {
            *hit = (hit.0 + 1, hit.1.min(trace));
        }
    }
}

/// A search through headers, split as reading them in parallel needs.
pub(super) struct Search {
    patterns: Vec<Pattern>,
    width: usize,
    order: ByteOrder,
}

impl Search {
    pub(super) fn new(value: &str, source: &Source) -> Result<Self> {
        let (order, header) = (source.layout.byte_order, source.header(0)?);
        let headers = Headers { bytes: &header, width: header.len(), order };
        let mut scalars = Vec::new();
        for byte in SCALARS {
            let mut value = Vec::new();
            headers.scalars(byte, &mut value);
            scalars.extend(value.first().map(|&v| (byte, v as i16)));
        }
        Ok(Self { patterns: patterns(value, order, &scalars)?, width: header.len(), order })
    }

    pub(super) fn visitor(&self) -> FindVisitor<'_> {
        FindVisitor::new(&self.patterns, self.width)
    }

    /// The findings, standard fields first, then by number of traces.
    pub(super) fn findings(&self, visitor: FindVisitor, columns: &[Column], source: &Source) -> Result<Vec<Finding>> {
        let mut found = Vec::new();
        for (pattern, hits) in self.patterns.iter().zip(&visitor.hits) {
            let held = hits.iter().enumerate().filter(|(_, hit)| hit.0 > 0);
            let held = held.filter(|&(offset, hit)| !self.is_half_of_more(pattern, offset, hit.0, &visitor));
            found.extend(held.map(|(offset, &(n, first))| {
                let field = columns
                    .iter()
                    .find(|c| c.first_byte as usize == offset + 1 && c.kind.size() == pattern.bytes.len());
                let field = field.filter(|c| pattern.scalar_byte.is_none() || c.scalar == pattern.scalar_byte);
                finding("trace header", pattern, offset as u32 + 1, field.map(|c| c.name.clone()), n, Some(first + 1))
            }));
        }
        // A scaled reading counts only in fields with that scalar, otherwise every number would have a reading per
        // scalar.
        found.retain(|f: &Finding| f.scalar_byte.is_none() || f.field.is_some());
        found.sort_by_key(|f| (f.field.is_none(), std::cmp::Reverse(f.n_traces), f.first_byte));
        let mut all = self.in_binary_header(source)?;
        all.extend(found);
        Ok(all)
    }

    /// Whether these two bytes are just the lower half of a longer match.
    fn is_half_of_more(&self, pattern: &Pattern, offset: usize, n: u64, visitor: &FindVisitor) -> bool {
        let start = if self.order == ByteOrder::Big { offset.checked_sub(2) } else { Some(offset) };
        let is_longer = |p: &Pattern| matches!(p.kind, "i32" | "u32") && p.scalar_byte.is_none();
        let mut longer = self.patterns.iter().zip(&visitor.hits).filter(|(p, _)| is_longer(p));
        if pattern.bytes.len() != 2 {
            return false;
        }
        start.is_some_and(|s| longer.any(|(_, hits)| hits.get(s).is_some_and(|hit| hit.0 >= n)))
    }

    fn in_binary_header(&self, source: &Source) -> Result<Vec<Finding>> {
        if !source.layout.has_file_header() {
            return Ok(Vec::new());
        }
        let header = source.file.copy(BINARY_HEADER_OFFSET, BINARY_HEADER_BYTES)?;
        let fields = BINARY_FIELDS.iter().filter(|f| f.exists_in(source.layout.revision.0));
        // Most of the binary header is two-byte numbers, so only whole fields count there.
        let found = fields.filter_map(|f| {
            let start = (f.byte as usize).checked_sub(BINARY_HEADER_OFFSET as usize + 1)?;
            let bytes = header.get(start..start + f.kind.size())?;
            let pattern = self.patterns.iter().find(|p| p.scalar_byte.is_none() && p.bytes == bytes)?;
            Some(finding("binary header", pattern, f.byte, Some(f.name.to_owned()), 0, None))
        });
        Ok(found.collect())
    }
}

fn finding(
    place: &'static str,
    pattern: &Pattern,
    first_byte: u32,
    field: Option<String>,
    n_traces: u64,
    first_trace: Option<u64>,
) -> Finding {
    Finding {
        place,
        first_byte,
        last_byte: first_byte + pattern.bytes.len() as u32 - 1,
        kind: pattern.kind,
        field,
        scalar_byte: pattern.scalar_byte,
        n_traces,
        first_trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(value: &str, scalars: &[(u32, i16)]) -> Vec<(&'static str, Vec<u8>, Option<u32>)> {
        let found = patterns(value, ByteOrder::Big, scalars).unwrap();
        found.into_iter().map(|p| (p.kind, p.bytes, p.scalar_byte)).collect()
    }

    #[test]
    fn a_whole_number_is_looked_for_in_every_form_that_holds_it() {
        let kinds = |value| forms(value, &[]).into_iter().map(|f| f.0).collect::<Vec<_>>();
        assert_eq!(kinds("25"), ["i16", "i32", "f32", "f64", "ibm32"]);
        assert_eq!(kinds("40000"), ["u16", "i32", "f32", "f64", "ibm32"]);
        assert_eq!(kinds("3000000000"), ["u32", "f32", "f64", "ibm32"]);
        assert_eq!(kinds("18446744073709551615"), ["u64", "f32", "f64", "ibm32"]);
        assert_eq!(kinds("0.1"), ["f32", "f64"]);
    }

    #[test]
    fn a_coordinate_is_looked_for_as_it_was_before_its_scalar() {
        let found = forms("605835.2", &[(69, 1), (71, -10)]);
        assert!(found.contains(&("i32", 6_058_352i32.to_be_bytes().to_vec(), Some(71))), "{found:?}");
        assert!(forms("605835.25", &[(71, -10)]).iter().all(|f| f.2.is_none()));
    }

    #[test]
    fn ibm_words_are_those_of_the_standard() {
        assert_eq!(ibm_word(1.0), Some(0x4110_0000));
        assert_eq!(ibm_word(-118.625), Some(0xC276_A000));
        assert_eq!(ibm_word(0.1), None);
    }

    #[test]
    fn zero_and_words_are_refused() {
        for value in ["0", "-0.0", "inf", "x"] {
            assert!(matches!(patterns(value, ByteOrder::Big, &[]), Err(Error::Usage(_))), "{value}");
        }
    }
}
