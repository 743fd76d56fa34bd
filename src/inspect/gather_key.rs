//! Suggesting a gather key, with the reason.

use serde::Serialize;

use crate::inspect::field_table::FieldSummary;
use crate::inspect::text_columns::grouped;

/// Runs must be longer than this on average to be called gathers.
const MIN_MEAN: f64 = 1.5;
/// A well-ordered key reverses direction in at most this share of its changes: where a survey starts a new line.
const DISORDER: f64 = 0.1;

/// The suggested value for `--gather`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GatherSuggestion {
    /// Names of the fields; empty for `none`.
    pub keys: Vec<String>,
    /// Why, in words.
    pub reason: String,
    /// Mean number of traces per gather, if any gathers were seen to end.
    pub mean_traces: Option<f64>,
    /// Number of gathers, if all headers were read and one key is enough.
    pub n_gathers: Option<u64>,
}

impl GatherSuggestion {
    /// As the option's value.
    pub fn option(&self) -> String {
        if self.keys.is_empty() { "none".into() } else { self.keys.join(",") }
    }
}

/// Picks a key by the runs of the usual gather fields.
pub fn suggest(fields: &[FieldSummary], n_traces: u64) -> GatherSuggestion {
    let find = |name: &str| fields.iter().find(|f| f.name == name);
    let gathers = |name: &str| find(name).filter(|f| makes_gathers(f));
    let cdp = gathers("cdp");
    if let Some(cdp) = cdp.filter(|f| is_in_order(f)) {
        return of(&[cdp]);
    }
    if let (Some(inline), Some(crossline)) = (gathers("inline"), gathers("crossline")) {
        let order = |a: &FieldSummary, b: &FieldSummary| a.runs.mean.is_none_or(|a| b.runs.mean.is_some_and(|b| b < a));
        if order(inline, crossline) || order(crossline, inline) {
            return of(&[inline, crossline]);
        }
    }
    let shot = ["field_record", "energy_source_point", "shot_point"].into_iter().find_map(gathers);
    let line = ["inline", "crossline"].into_iter().find_map(gathers);
    // Stacked volumes often repeat the line number in the field record.
    let same = |a: &FieldSummary, b: &FieldSummary| (a.runs == b.runs).then_some(());
    let found = match (shot, line) {
        (Some(shot), Some(line)) if same(shot, line).is_some() => Some(line),
        (shot, line) => shot.or(line).or(cdp),
    };
    found.map_or_else(|| nothing(find("cdp"), n_traces), |f| of(&[f]))
}

fn makes_gathers(f: &FieldSummary) -> bool {
    !f.constant && f.runs.mean.is_none_or(|mean| mean >= MIN_MEAN)
}

fn is_in_order(f: &FieldSummary) -> bool {
    let (changes, against) = (f.increases + f.decreases, f.increases.min(f.decreases));
    against as f64 <= changes as f64 * DISORDER
}

fn of(keys: &[&FieldSummary]) -> GatherSuggestion {
    let Some(last) = keys.last() else { return nothing(None, 0) };
    let runs = &last.runs;
    let names: Vec<&str> = keys.iter().map(|f| f.name.as_str()).collect();
    let size = match (runs.count, runs.mean, runs.shortest) {
        (Some(1), ..) => format!("all {} traces are one", grouped(runs.longest)),
        (Some(n), Some(mean), Some(shortest)) if shortest == runs.longest => {
            format!("{} gathers of {mean:.0} traces", grouped(n))
        }
        (Some(n), Some(mean), Some(shortest)) => {
            format!(
                "{} gathers of {} to {} traces, {mean:.1} on average",
                grouped(n),
                grouped(shortest),
                grouped(runs.longest)
            )
        }
        (_, Some(_), Some(shortest)) if shortest == runs.longest => {
            format!("gathers of {} traces where they were seen whole", grouped(shortest))
        }
        (_, Some(mean), Some(shortest)) => format!(
            "gathers of about {mean:.0} traces ({} to {} where they were seen)",
            grouped(shortest),
            grouped(runs.longest)
        ),
        (_, Some(mean), None) => format!("gathers of about {mean:.0} traces"),
        _ => format!("gathers of more than {} traces", grouped(runs.longest)),
    };
    let verb = if keys.len() == 1 { "repeats" } else { "repeat" };
    GatherSuggestion {
        keys: names.iter().map(|&n| n.to_owned()).collect(),
        reason: format!("{} {verb} in consecutive traces: {size}", names.join(" and ")),
        mean_traces: runs.mean,
        n_gathers: runs.count.filter(|_| keys.len() == 1),
    }
}

fn nothing(cdp: Option<&FieldSummary>, n_traces: u64) -> GatherSuggestion {
    let reason = match cdp {
        _ if n_traces == 1 => "there is one trace",
        Some(cdp) if !cdp.constant => "cdp changes from trace to trace, and no other usual key repeats",
        _ => "no usual key changes",
    };
    GatherSuggestion { keys: Vec::new(), reason: reason.into(), mean_traces: None, n_gathers: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::column_stats::ColumnStats;
    use crate::inspect::field_table::summarise;
    use crate::segy::fields::FieldKind;
    use crate::table::Column;

    fn suggest_for(columns: &[(&str, &[i64])]) -> GatherSuggestion {
        let column = |name: &str| Column { name: name.into(), first_byte: 1, kind: FieldKind::I32, scalar: None };
        let stats: Vec<_> = columns.iter().map(|(_, keys)| ColumnStats::of(keys, None)).collect();
        let columns: Vec<_> = columns.iter().map(|(name, _)| column(name)).collect();
        suggest(&summarise(&columns, &stats, &vec![None; columns.len()], &[], true), 12)
    }

    #[test]
    fn cdp_gathers_go_by_cdp() {
        let found = suggest_for(&[("cdp", &[1, 1, 1, 2, 2, 2]), ("field_record", &[4, 5, 6, 5, 6, 7])]);
        assert_eq!((found.option().as_str(), found.n_gathers), ("cdp", Some(2)));
        assert_eq!(found.reason, "cdp repeats in consecutive traces: 2 gathers of 3 traces");
    }

    #[test]
    fn shots_go_by_field_record_even_where_neighbouring_channels_share_a_cdp() {
        let cdp = [1, 1, 2, 2, 3, 3, 2, 2, 3, 3, 4, 4];
        let shot = [7, 7, 7, 7, 7, 7, 8, 8, 8, 8, 8, 8];
        assert_eq!(suggest_for(&[("cdp", &cdp), ("field_record", &shot)]).option(), "field_record");
    }

    #[test]
    fn a_stacked_volume_goes_by_inline_also_where_field_record_repeats_it() {
        let line = [1, 1, 1, 2, 2, 2];
        let columns: &[(&str, &[i64])] = &[
            ("field_record", &line),
            ("cdp", &[1, 2, 3, 4, 5, 6]),
            ("inline", &line),
            ("crossline", &[1, 2, 3, 1, 2, 3]),
        ];
        assert_eq!(suggest_for(columns).option(), "inline");
    }

    #[test]
    fn bins_without_a_cdp_number_go_by_inline_and_crossline() {
        let columns: &[(&str, &[i64])] =
            &[("cdp", &[0; 8]), ("inline", &[1, 1, 1, 1, 2, 2, 2, 2]), ("crossline", &[1, 1, 2, 2, 1, 1, 2, 2])];
        assert_eq!(suggest_for(columns).option(), "inline,crossline");
    }

    #[test]
    fn a_stacked_line_has_no_gathers() {
        let found = suggest_for(&[("cdp", &[1, 2, 3]), ("field_record", &[0; 3])]);
        assert_eq!((found.option().as_str(), found.mean_traces), ("none", None));
        assert!(found.reason.contains("cdp changes from trace to trace"));
    }
}
