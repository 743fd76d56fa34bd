//! Which bytes look like inline, crossline, cdp, offset and coordinates, for files with non-standard headers.
//!
//! The header is read as integers of two and four bytes and as floats at every second byte, and each is judged by how it changes through the
//! file. Each observation gives points; none decides alone, so all are shown.

use serde::Serialize;

use crate::inspect::field_table::FieldSummary;
use crate::segy::ByteOrder;
use crate::segy::fields::FieldKind;
use crate::table::Column;

/// Most places to show per role, and the points they need.
const MOST: usize = 3;
const MOST_COORDINATES: usize = 6;
const ENOUGH: i32 = 4;
/// Points for being at the standard bytes: as much as the best observation.
const AT_STANDARD_BYTES: i32 = 3;
/// Line and gather numbers, and offsets in metres, do not exceed this.
const LARGEST_NUMBER: i64 = 100_000;
/// A four-byte number with steps of this size straddles two fields.
const TWO_BYTES: i64 = 1 << 16;

/// What a header field may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Inline number.
    Inline,
    /// Crossline number.
    Crossline,
    /// CDP (ensemble) number.
    Cdp,
    /// Source-receiver offset.
    Offset,
    /// A coordinate, x or y.
    Coordinate,
}

/// Bytes in the trace header that look like a field of some role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// What the field may be.
    pub role: Role,
    /// More means likelier; comparable only within a role.
    pub points: i32,
    /// The evidence for and against.
    pub evidence: Vec<String>,
    /// The standard field at these bytes.
    pub standard_field: Option<String>,
    /// Statistics of the field.
    pub field: FieldSummary,
}

/// Types that a place is read in.
const KINDS: [FieldKind; 4] = [FieldKind::I32, FieldKind::I16, FieldKind::F32, FieldKind::Ibm32];
/// What coordinates are, as floats.
const COORDINATES: std::ops::RangeInclusive<f64> = 100.0..=2e8;
/// As integers, the bits of such floats are at least this.
const FLOAT_BITS: f64 = 536_870_912.0;

/// Every place considered, at every second byte.
pub(super) fn places(header_bytes: u32) -> Vec<Column> {
    let bytes = (1..header_bytes).step_by(2);
    let both = bytes.flat_map(|byte| KINDS.map(|kind| (byte, kind)));
    let inside = both.filter(|(byte, kind)| byte + kind.size() as u32 - 1 <= header_bytes);
    inside
        .map(|(first_byte, kind)| Column {
            name: format!("byte_{first_byte}"),
            first_byte,
            kind,
            scalar: None,
            given_scalar: None,
        })
        .collect()
}

/// The likeliest places of each role, the best first.
pub(super) fn rank(fields: &[FieldSummary], standard: &[Column], order: ByteOrder) -> Vec<Candidate> {
    let (floats, integers): (Vec<&FieldSummary>, Vec<&FieldSummary>) =
        fields.iter().partition(|f| matches!(f.kind.as_str(), "f32" | "ibm32"));
    let floats: Vec<&FieldSummary> = floats.into_iter().filter(|f| is_float_coordinate(f, &integers)).collect();
    // The bits of a float are no integer, nor are those of its halves.
    let is_part = |f: &FieldSummary| {
        floats.iter().any(|c| {
            (c.first_byte..=c.last_byte).contains(&f.first_byte) || (c.first_byte..=c.last_byte).contains(&f.last_byte)
        })
    };
    let places: Vec<Place> =
        integers.into_iter().filter(|f| !is_part(f)).filter_map(|f| Place::new(f, standard)).collect();
    let telling: Vec<&Place> = places.iter().filter(|p| !p.is_shadow(&places, order)).collect();
    let roles = [
        (Role::Inline, inline as fn(&Place) -> Case, MOST),
        (Role::Crossline, crossline, MOST),
        (Role::Cdp, cdp, MOST),
        (Role::Offset, offset, MOST),
        (Role::Coordinate, coordinate, MOST_COORDINATES),
    ];
    let ranked = roles.into_iter().flat_map(|(role, judge, most)| {
        let judged = |place: &Place| {
            judge(place).add(place.is_inside_another(&places), -2, "but half of a standard field that changes")
        };
        let cases = telling.iter().map(|place| (judged(place), place)).filter(|(case, _)| case.points >= ENOUGH);
        let mut found: Vec<Candidate> = cases.map(|(case, place)| place.candidate(role, case)).collect();
        found.sort_by_key(|c| (-c.points, c.field.first_byte));
        found.truncate(most);
        found
    });
    let of_float = |f: &&FieldSummary| {
        let case = Case {
            points: ENOUGH,
            evidence: vec!["a float of the size of a coordinate that changes gradually".into()],
        };
        let standard = standard.iter().find(|c| c.first_byte == f.first_byte).map(|c| c.name.clone());
        Candidate {
            role: Role::Coordinate,
            points: case.points,
            evidence: case.evidence,
            standard_field: standard,
            field: (*f).clone(),
        }
    };
    ranked.chain(floats.iter().take(MOST_COORDINATES).map(of_float)).collect()
}

/// Whether these four bytes are coordinates as floats: of their size in all traces, and no such integers.
fn is_float_coordinate(float: &FieldSummary, integers: &[&FieldSummary]) -> bool {
    let range = |f: &FieldSummary| Some((f.min.as_ref()?.as_f64(), f.max.as_ref()?.as_f64()));
    let Some((min, max)) = range(float).filter(|(min, max)| min.is_finite() && max.is_finite()) else { return false };
    let has_size = [min, max].iter().all(|v| COORDINATES.contains(&v.abs())) && min.signum() == max.signum();
    let is_near = (max - min).abs() <= 0.5 * min.abs().max(max.abs());
    let bits = integers.iter().find(|f| f.first_byte == float.first_byte && f.kind == "i32").and_then(|f| range(f));
    let are_bits = bits.is_some_and(|(min, max)| min.abs() >= FLOAT_BITS && max.abs() >= FLOAT_BITS);
    !float.constant && has_size && is_near && are_bits && float.distinct.is_none_or(|n| n > 2)
}

/// A place in the header with the statistics used here.
struct Place<'a> {
    field: &'a FieldSummary,
    /// The standard field with exactly these bytes.
    standard: Option<&'a Column>,
    min: i64,
    max: i64,
    /// Estimated number of traces for which a value stays the same.
    run: f64,
    /// Share of the changes against the main direction.
    against: f64,
}

impl<'a> Place<'a> {
    /// `None` if it never changes or is not a field of its own.
    fn new(field: &'a FieldSummary, standard: &'a [Column]) -> Option<Self> {
        let (min, max) = (field.min.as_ref()?.as_f64() as i64, field.max.as_ref()?.as_f64() as i64);
        let across_two = |v: i64| v % TWO_BYTES == 0;
        let is_across = (across_two(min) && across_two(max)) || field.step.is_some_and(across_two);
        if field.constant || (field.kind == "i32" && is_across) {
            return None;
        }
        let same_bytes = |c: &&Column| {
            c.first_byte == field.first_byte && c.first_byte + c.kind.size() as u32 - 1 == field.last_byte
        };
        let changes = (field.increases + field.decreases).max(1);
        Some(Self {
            field,
            standard: standard.iter().find(same_bytes),
            min,
            max,
            run: field.runs.mean.unwrap_or(field.runs.longest as f64),
            against: field.increases.min(field.decreases) as f64 / changes as f64,
        })
    }

    /// Whether this is the lower half of a longer number with the same values, or that longer number where the
    /// standard has the shorter one.
    fn is_shadow(&self, places: &[Place], order: ByteOrder) -> bool {
        let is_short = self.field.kind == "i16";
        let apart = if order == ByteOrder::Big { 2 } else { 0 };
        let twin = places.iter().find(|p| {
            let (long, short) = if is_short { (*p, self) } else { (self, *p) };
            let place = long.field.first_byte + apart == short.field.first_byte;
            p.field.kind != self.field.kind && place && (p.min, p.max) == (self.min, self.max)
        });
        twin.is_some_and(|twin| if is_short { self.standard.is_none() } else { twin.standard.is_some() })
    }

    /// Whether these two bytes are not a standard field but part of one that changes.
    fn is_inside_another(&self, places: &[Place]) -> bool {
        let around = |p: &Place| (p.field.first_byte..=p.field.last_byte).contains(&self.field.first_byte);
        let longer = |p: &Place| p.field.kind == "i32" && p.standard.is_some() && around(p);
        self.field.kind == "i16" && self.standard.is_none() && places.iter().any(longer)
    }

    fn is_called(&self, names: &[&str]) -> bool {
        self.standard.is_some_and(|c| names.contains(&c.name.as_str()))
    }

    /// Whether the usual difference between neighbours is within these bounds.
    fn has_step(&self, smallest: u64, largest: u64) -> bool {
        self.field.step.is_some_and(|s| (smallest..=largest).contains(&s.unsigned_abs()))
    }

    fn candidate(&self, role: Role, case: Case) -> Candidate {
        let standard_field = self.standard.map(|c| c.name.clone());
        Candidate { role, points: case.points, evidence: case.evidence, standard_field, field: self.field.clone() }
    }
}

/// Points, with the evidence for them.
#[derive(Default)]
struct Case {
    points: i32,
    evidence: Vec<String>,
}

impl Case {
    fn new(place: &Place, standard: &[&str]) -> Self {
        Self::default().add(place.is_called(standard), AT_STANDARD_BYTES, "standard bytes")
    }

    fn add(mut self, holds: bool, points: i32, what: impl Into<String>) -> Self {
        if holds {
            self.points += points;
            self.evidence.push(what.into());
        }
        self
    }

    /// Drops the case unless this necessary condition holds.
    fn only_if(self, holds: bool) -> Self {
        if holds { self } else { Self::default() }
    }
}

fn step_text(place: &Place) -> String {
    place.field.step.map_or(String::new(), |s| format!("step {s}"))
}

fn is_number(place: &Place) -> bool {
    place.min >= 0 && place.max <= LARGEST_NUMBER
}

fn inline(p: &Place) -> Case {
    Case::new(p, &["inline"])
        .add(p.run >= 5.0, 2, format!("stays for about {:.0} traces", p.run))
        .add(p.against <= 0.02, 1, "goes one way")
        .add(p.has_step(1, 100), 1, step_text(p))
        .add(is_number(p), 1, "a number of a line")
        .only_if(p.run >= 2.0 && p.max - p.min <= LARGEST_NUMBER)
}

fn crossline(p: &Place) -> Case {
    let restarts = p.against > 0.0 && p.against <= 0.3;
    Case::new(p, &["crossline"])
        .add(restarts, 2, "begins again and again")
        .add(p.has_step(1, 100), 2, step_text(p))
        .add(is_number(p), 1, "a number of a line")
        .add(restarts && p.min == 1, -1, "but counts from 1, as within a gather")
        .only_if(p.max - p.min <= LARGEST_NUMBER)
}

fn cdp(p: &Place) -> Case {
    let f = p.field;
    let counts_traces = f.decreases == 0 && p.run < 1.01 && matches!(p.min, 0 | 1) && p.has_step(1, 1);
    Case::new(p, &["cdp"])
        .add(p.against <= 0.02, 1, "goes one way")
        .add(p.has_step(1, 10), 1, step_text(p))
        .add(p.min >= 0, 1, "not negative")
        .add((1.5..=1000.0).contains(&p.run), 1, format!("gathers of about {:.0} traces", p.run))
        .add(counts_traces, -2, "but may merely count the traces")
}

fn offset(p: &Place) -> Case {
    Case::new(p, &["offset"])
        .add(p.against > 0.0, 2, "comes back in every gather")
        .add(p.has_step(5, 1000), 2, format!("{}, a distance", step_text(p)))
        .add(p.min < 0 && p.max > 0, 1, "of both signs")
        .add(p.has_step(1, 1), -2, "but counts in ones")
        .only_if(p.max.max(-p.min) <= LARGEST_NUMBER && p.run < 50.0)
}

fn coordinate(p: &Place) -> Case {
    let span = (p.max - p.min) as f64;
    let is_smooth = p.field.step.is_none_or(|s| (s.unsigned_abs() as f64) < span / 3.0);
    Case::new(p, &["cdp_x", "cdp_y", "source_x", "source_y", "receiver_x", "receiver_y"])
        .add(p.max.max(-p.min) >= 10 * LARGEST_NUMBER, 2, "large numbers")
        .add(p.field.distinct.is_none_or(|n| n > 20), 1, "many values")
        .add(p.min > 0 && span < p.min as f64, 1, "far from zero for its extent")
        .add(is_smooth && p.field.step.is_some(), 1, step_text(p))
        .only_if(p.field.kind == "i32" && is_smooth && p.max.max(-p.min) >= 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::column_stats::ColumnStats;
    use crate::inspect::field_table::summarise;
    use crate::inspect::step_guess::StepGuess;

    fn candidates(columns: &[(u32, FieldKind, Vec<i64>, i64)]) -> Vec<(Role, u32)> {
        let column = |&(first_byte, kind): &(u32, FieldKind)| Column {
            name: format!("b{first_byte}"),
            first_byte,
            kind,
            scalar: None,
            given_scalar: None,
        };
        let stats: Vec<_> = columns.iter().map(|c| ColumnStats::of(&c.2, Some(c.3))).collect();
        let guesses: Vec<_> =
            columns.iter().map(|c| Some(StepGuess { difference: c.3, agreeing: 1, seen: 1 })).collect();
        let columns: Vec<Column> = columns.iter().map(|c| column(&(c.0, c.1))).collect();
        let fields = summarise(&columns, &stats, &guesses, &[], true);
        let found = rank(
            &fields,
            &crate::table::HeaderTable::standard_columns(crate::segy::layout::InputFormat::Segy, 1),
            ByteOrder::Big,
        );
        found.into_iter().map(|c| (c.role, c.field.first_byte)).collect()
    }

    #[test]
    fn lines_of_a_volume_are_found_at_other_bytes() {
        let inline: Vec<i64> = (0..600).map(|i| 2000 + i / 60).collect();
        let crossline: Vec<i64> = (0..600).map(|i| 300 + 2 * (i % 60)).collect();
        let found = candidates(&[
            (5, FieldKind::I32, (1..=600).collect(), 1),
            (9, FieldKind::I32, inline.clone(), 1),
            (11, FieldKind::I16, inline, 1),
            (213, FieldKind::I32, crossline, 2),
        ]);
        let of = |role| found.iter().filter(|f| f.0 == role).map(|f| f.1).collect::<Vec<_>>();
        assert_eq!((of(Role::Inline), of(Role::Crossline)), (vec![9], vec![213]), "{found:?}");
        assert!(!found.contains(&(Role::Cdp, 5)), "a count of the traces is no cdp: {found:?}");
    }

    #[test]
    fn a_number_across_two_fields_is_no_candidate() {
        let across = (0..600).map(|i| (2000 + i / 60) << 16).collect();
        assert_eq!(candidates(&[(191, FieldKind::I32, across, 1 << 16)]), []);
    }

    #[test]
    fn every_place_lies_inside_the_header() {
        let places = places(240);
        assert_eq!(places.len(), 3 * 119 + 120);
        assert!(places.iter().all(|p| p.first_byte as usize + p.kind.size() - 1 <= 240));
    }
}
