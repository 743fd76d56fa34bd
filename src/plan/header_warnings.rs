//! Warnings about trace headers: fields that should not vary and do, and invalid scalars. Shared by `inspect`, which may
//! have seen only some headers, and by imports, which see all.

use crate::segy::layout::InputFormat;
use crate::segy::{Domain, Layout, apply_scalar};
use crate::table::HeaderTable;

/// A field that may vary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Varying {
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// The first trace, from 0, with another value than the first, if known.
    pub(crate) first_other: Option<u64>,
}

/// What was seen of the trace headers.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) n_traces: u64,
    /// Whether these are all traces.
    pub(crate) is_whole: bool,
    pub(crate) interval: Option<Varying>,
    pub(crate) delay: Option<Varying>,
    /// The scalar of times (bytes 215-216), if it is one.
    pub(crate) times_scalar: Option<i16>,
    /// Traces with an invalid scalar of coordinates, and of elevations.
    pub(crate) n_odd_scalars: [u64; 2],
}

impl Seen {
    /// The warnings.
    pub(crate) fn warnings(&self, table: &HeaderTable, layout: &Layout) -> Vec<String> {
        [
            self.interval_warning(table, layout),
            self.delay_warning(table, layout),
            self.scalar_warning(
                table,
                "coordinate_scalar",
                self.n_odd_scalars[0],
                "; --coordinate-scalar gives another",
            ),
            self.scalar_warning(table, "elevation_scalar", self.n_odd_scalars[1], ""),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn interval_warning(&self, table: &HeaderTable, layout: &Layout) -> Option<String> {
        let seen = self.interval.filter(|v| v.min != v.max && v.max > 0.0)?;
        let units = if layout.axis.domain == Domain::Time { " µs" } else { "" };
        Some(format!(
            "the sample interval ({}) varies from {} to {}{units} in the trace headers{}; the sample axis has {} for all traces \
             (--interval overrides)",
            place(table, "sample_interval")?,
            seen.min,
            seen.max,
            from(seen),
            if layout.axis.interval.is_some() { layout.axis.interval_text() } else { "none".into() }
        ))
    }

    fn delay_warning(&self, table: &HeaderTable, layout: &Layout) -> Option<String> {
        let seen = self.delay.filter(|v| v.min != v.max)?;
        let is_scaled = layout.kind == InputFormat::Segy && layout.revision.0 > 0;
        let scalar = match (is_scaled, self.times_scalar) {
            (true, Some(scalar)) => Some(scalar),
            (true, None) => None,
            (false, _) => Some(1),
        };
        let units = layout.axis.units.as_deref().unwrap_or("");
        let range = scalar.map_or_else(
            || ", by its scalar (bytes 215-216), which varies too".to_owned(),
            |scalar| format!(" from {} to {} {units}", apply_scalar(seen.min, scalar), apply_scalar(seen.max, scalar)),
        );
        Some(format!(
            "the delay of the first sample ({}) varies{range} in the trace headers{}; the sample axis begins at {} for all traces \
             (--start overrides)",
            place(table, "delay_recording_time")?,
            from(seen),
            layout.axis.start_text()
        ))
    }

    fn scalar_warning(&self, table: &HeaderTable, name: &str, n: u64, hint: &str) -> Option<String> {
        let of = if self.is_whole { "" } else { " looked at" };
        let (noun, verb) = if n == 1 { ("trace", "has") } else { ("traces", "have") };
        (n > 0).then(|| {
            Some(format!(
                "{n} {noun} of {}{of} {verb} a number in {} ({}) that is not a scalar (0, ±1, ±10, … ±10000): it is not applied \
                 there{hint}",
                self.n_traces,
                name.replace('_', " "),
                place(table, name)?
            ))
        })?
    }
}

/// Where it begins to vary.
fn from(seen: Varying) -> String {
    seen.first_other.map_or(String::new(), |trace| format!(", for the first time at trace {}", trace + 1))
}

/// `bytes 109-110`.
fn place(table: &HeaderTable, name: &str) -> Option<String> {
    let column = table.columns.iter().find(|c| c.name == name)?;
    Some(format!("bytes {}-{}", column.first_byte, column.first_byte as usize + column.kind.size() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, generate};
    use crate::plan::Plan;
    use crate::plan::import_config::ImportConfig;

    fn plan() -> Plan {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("in.sgy");
        let survey = GenerateConfig { n_traces: 12, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &crate::CancelHandle::new()).unwrap();
        ImportConfig::new(&input, directory.path().join("out")).plan().unwrap()
    }

    const NOTHING: Seen = Seen {
        n_traces: 10,
        is_whole: true,
        interval: None,
        delay: None,
        times_scalar: Some(1),
        n_odd_scalars: [0, 0],
    };

    /// The only warning, if there is one.
    fn of(plan: &Plan, seen: Seen) -> Option<String> {
        let mut warnings = seen.warnings(&plan.headers, plan.layout());
        assert!(warnings.len() < 2, "{warnings:?}");
        warnings.pop()
    }

    #[test]
    fn an_interval_that_varies_is_told_with_its_place_and_the_first_trace() {
        let mut plan = plan();
        let interval = |min, max, first_other| Seen { interval: Some(Varying { min, max, first_other }), ..NOTHING };
        for (min, max) in [(4000.0, 4000.0), (-2.0, -1.0), (-1.0, 0.0)] {
            assert_eq!(of(&plan, interval(min, max, None)), None);
        }
        let start = "the sample interval (bytes 117-118) varies from 2000 to 4000";
        let told = of(&plan, interval(2000.0, 4000.0, Some(4))).unwrap();
        assert!(
            told.starts_with(&format!("{start} µs in the trace headers, for the first time at trace 5; ")),
            "{told}"
        );
        assert!(of(&plan, interval(2000.0, 4000.0, None)).unwrap().contains(" µs in the trace headers; the sample"));
        plan.files[0].layout.axis.domain = Domain::Depth;
        assert!(of(&plan, interval(2000.0, 4000.0, None)).unwrap().starts_with(&format!("{start} in the trace")));
    }

    #[test]
    fn a_delay_that_varies_is_scaled_where_the_format_has_a_scalar() {
        let mut plan = plan();
        plan.files[0].layout.axis.units = Some("ms".into());
        let delay = |min, max, times_scalar| {
            let delay = Some(Varying { min, max, first_other: None });
            Seen { delay, times_scalar, ..NOTHING }
        };
        let range = |plan: &Plan, scalar| {
            let told = of(plan, delay(10.0, 20.0, scalar)).unwrap();
            let (_, rest) = told.split_once("(bytes 109-110) varies").unwrap();
            rest.split(" in the trace headers; ").next().unwrap().to_owned()
        };
        assert_eq!(of(&plan, delay(10.0, 10.0, None)), None);
        plan.files[0].layout.revision = (1, 0);
        assert_eq!(range(&plan, Some(-10)), " from 1 to 2 ms");
        assert_eq!(range(&plan, None), ", by its scalar (bytes 215-216), which varies too");
        plan.files[0].layout.revision = (0, 0);
        assert_eq!([Some(-10), None].map(|scalar| range(&plan, scalar)), [" from 10 to 20 ms"; 2]);
        (plan.files[0].layout.revision, plan.files[0].layout.kind) = ((1, 0), InputFormat::Su);
        assert_eq!([Some(-10), None].map(|scalar| range(&plan, scalar)), [" from 10 to 20 ms"; 2]);
    }

    #[test]
    fn traces_with_a_number_that_is_no_scalar_are_counted() {
        let plan = plan();
        let odd = |n_odd_scalars, is_whole| of(&plan, Seen { n_odd_scalars, is_whole, ..NOTHING });
        assert_eq!(odd([0, 0], true), None);
        let one = odd([1, 0], true).unwrap();
        assert!(
            one.starts_with("1 trace of 10 has a number in coordinate scalar (bytes 71-72) that is not a scalar"),
            "{one}"
        );
        assert!(one.ends_with("; --coordinate-scalar gives another"), "{one}");
        let two = odd([0, 2], false).unwrap();
        assert!(two.starts_with("2 traces of 10 looked at have a number in elevation scalar (bytes 69-70)"), "{two}");
        assert!(two.ends_with("it is not applied there"), "{two}");
    }
}
