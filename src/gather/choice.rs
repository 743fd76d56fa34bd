//! Choosing the gather key, with the evidence: the same for inspect, a plan and an import.

use serde::{Deserialize, Serialize};

use crate::gather::sample::{Runs, Sample};

/// Fields that number shots, the most usual first.
const SHOTS: [&str; 3] = ["field_record", "energy_source_point", "shot_point"];
/// Fields that say where a stacked trace lies.
const BINS: [&str; 5] = ["cdp", "inline", "crossline", "cdp_x", "cdp_y"];
/// Shorter runs of a number along a stacked line are not lines but stations shared by neighbouring traces.
const SHORTEST_LINE: f64 = 8.0;

/// Trace sorting codes (bytes 3229-3230, SEG-Y rev 2.1).
const SORTED_BY_CDP: i16 = 2;
const SORTED_BY_RECEIVER: i16 = 6;
const SORTED_BY_OFFSET: i16 = 7;

/// A gather key and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatherChoice {
    /// Names of the columns; empty for no gathers.
    pub keys: Vec<String>,
    /// The evidence, in words.
    pub because: String,
}

impl GatherChoice {
    fn of(keys: &[&str], because: impl Into<String>) -> Self {
        Self { keys: keys.iter().map(|&k| k.to_owned()).collect(), because: because.into() }
    }

    /// As the value of `--gather`.
    pub(crate) fn option(&self) -> String {
        if self.keys.is_empty() { "none".into() } else { self.keys.join(",") }
    }
}

/// The key that makes gathers of these traces. `sorting_code` is that of the binary header, if there is one.
pub(crate) fn choose(sample: &Sample, sorting_code: Option<i16>) -> GatherChoice {
    let file = Traces { sample, sorting_code };
    if sample.n_traces == 1 {
        return GatherChoice::of(&[], "there is one trace");
    }
    let choice = if file.is_stacked() { file.lines() } else { file.of_prestack() };
    choice.or_else(|| file.single_gather()).unwrap_or_else(|| file.nothing())
}

/// The traces looked at, as questions about them.
struct Traces<'a> {
    sample: &'a Sample,
    sorting_code: Option<i16>,
}

impl<'a> Traces<'a> {
    fn field(&self, name: &str) -> Runs<'a> {
        self.sample.field(name)
    }

    /// One trace for each bin: the offset is the same everywhere, and neighbours lie in different bins.
    fn is_stacked(&self) -> bool {
        let bins = BINS.map(|name| self.field(name));
        let is_new_bin = |i: &&usize| bins.iter().any(|bin| bin.differs_at(**i));
        let n_new = self.sample.pairs.iter().filter(is_new_bin).count();
        self.field("offset").constant && n_new > 0 && n_new * 20 >= self.sample.pairs.len() * 19
    }

    /// Lines of a stacked volume.
    fn lines(&self) -> Option<GatherChoice> {
        let (inline, crossline) = (self.field("inline"), self.field("crossline"));
        let stack = |key: &str, other: &str| {
            let why = format!(
                "{key} repeats in consecutive traces while {other} changes, one trace for each bin: a stacked volume"
            );
            Some(GatherChoice::of(&[key], why))
        };
        let other_of = |line: Runs, name: &'static str| match self.field(name) {
            other if other.changes_inside(line) => Some(name),
            _ => ["cdp", "cdp_x", "cdp_y"].into_iter().find(|bin| self.field(bin).changes_inside(line)),
        };
        if inline.repeats()
            && (!crossline.repeats() || inline.mean() >= crossline.mean())
            && let Some(other) = other_of(inline, "crossline")
        {
            return stack("inline", other);
        }
        if crossline.repeats()
            && let Some(other) = other_of(crossline, "inline")
        {
            return stack("crossline", other);
        }
        // Without line numbers in their places, the field record or shot often holds them.
        let (cdp, ffid) = (self.field("cdp"), self.field("field_record"));
        let is_line = |key: Runs| key.repeats() && (!cdp.is_monotonic() || key.mean() >= SHORTEST_LINE);
        let other = ["cdp", "trace_number", "cdp_x"].into_iter().find(|name| self.field(name).changes_inside(ffid));
        other.filter(|_| is_line(ffid)).and_then(|other| stack("field_record", other))
    }

    fn of_prestack(&self) -> Option<GatherChoice> {
        self.cdp_gathers()
            .or_else(|| self.bins())
            .or_else(|| self.common_offset())
            .or_else(|| self.receivers_of_sorting())
            .or_else(|| self.shot_gathers())
            .or_else(|| self.receivers())
            .or_else(|| self.last_resorts())
    }

    /// The number of the shot, where it repeats in consecutive traces and is not the number of the line.
    fn shot(&self) -> Option<(&'static str, Runs<'a>)> {
        let lines = ["inline", "crossline"].map(|name| self.field(name));
        let is_line = |shot: Runs| lines.iter().any(|line| shot.has_runs_of(*line));
        let shots = SHOTS.into_iter().map(|name| (name, self.field(name)));
        shots.into_iter().find(|(_, shot)| shot.repeats() && !is_line(*shot))
    }

    fn cdp_gathers(&self) -> Option<GatherChoice> {
        let cdp = self.field("cdp");
        let is_line = cdp.has_runs_of(self.field("inline")) && self.field("crossline").changes_inside(cdp);
        if !cdp.repeats() || !cdp.is_in_order() || is_line {
            return None;
        }
        let counts = ["offset", "trace_number_cdp"].into_iter().find(|name| self.field(name).restarts_with(cdp));
        let by_code = self.sorting_code == Some(SORTED_BY_CDP);
        if let Some((_, shot)) = self.shot() {
            // In shot order neighbouring channels may share a cdp; then the shot does not change inside it.
            let in_shots = shot.mean() > cdp.mean() && !shot.changes_inside(cdp) && counts.is_none();
            let is_moved = ["source_x", "source_y"].iter().any(|name| self.field(name).has_runs_of(shot));
            if in_shots && (!by_code || is_moved) {
                return None;
            }
        }
        let more = match counts {
            Some(name) => format!(", and {name} starts anew with each"),
            None if by_code => ", and the trace sorting code (bytes 3229-3230) says cdp gathers".into(),
            None => String::new(),
        };
        Some(GatherChoice::of(&["cdp"], format!("cdp repeats in consecutive traces and keeps its order{more}")))
    }

    /// Bins of a prestack volume, numbered by line.
    fn bins(&self) -> Option<GatherChoice> {
        let (inline, crossline) = (self.field("inline"), self.field("crossline"));
        let is_nested = inline.mean() > crossline.mean() || crossline.mean() > inline.mean();
        let in_shots = self.shot().is_some_and(|(_, shot)| shot.mean() > inline.mean().max(crossline.mean()));
        (inline.repeats() && crossline.repeats() && is_nested && !in_shots)
            .then(|| GatherChoice::of(&["inline", "crossline"], "inline and crossline repeat in consecutive traces"))
    }

    fn common_offset(&self) -> Option<GatherChoice> {
        let offset = self.field("offset");
        let longer = ["cdp", "inline", "crossline"].map(|name| self.field(name));
        let longest = longer.iter().filter(|f| !f.constant).map(|f| f.mean()).fold(1.0, f64::max);
        let is_longer = self.shot().is_none_or(|(_, shot)| offset.mean() > shot.mean()) && offset.mean() > longest;
        let bin = ["cdp", "crossline", "inline"].into_iter().find(|name| self.field(name).changes_inside(offset))?;
        (offset.repeats() && offset.is_in_order() && is_longer).then(|| {
            let by_code = self.sorting_code == Some(SORTED_BY_OFFSET);
            let more = if by_code { ", as the trace sorting code (bytes 3229-3230) says" } else { "" };
            GatherChoice::of(&["offset"], format!("offset repeats in consecutive traces while {bin} changes{more}"))
        })
    }

    fn shot_gathers(&self) -> Option<GatherChoice> {
        let (name, shot) = self.shot()?;
        let others = ["offset", "trace_number", "receiver_x", "receiver_y", "cdp"];
        let other = others.into_iter().find(|other| self.field(other).changes_inside(shot));
        let more = other.map_or(String::new(), |other| format!(" while {other} changes"));
        Some(GatherChoice::of(&[name], format!("{name} repeats in consecutive traces{more}")))
    }

    fn receivers_of_sorting(&self) -> Option<GatherChoice> {
        if self.sorting_code == Some(SORTED_BY_RECEIVER) { self.receivers() } else { None }
    }

    /// The place of the receiver, where it stays while the source moves.
    fn receivers(&self) -> Option<GatherChoice> {
        let keys: Vec<&str> =
            ["receiver_x", "receiver_y"].into_iter().filter(|name| self.field(name).repeats()).collect();
        let stays = keys.iter().all(|name| {
            let receiver = self.field(name);
            ["source_x", "source_y"].iter().any(|source| self.field(source).changes_inside(receiver))
        });
        let verb = if keys.len() == 1 { "stays" } else { "stay" };
        (!keys.is_empty() && stays)
            .then(|| GatherChoice::of(&keys, format!("{} {verb} while the source moves", keys.join(" and "))))
    }

    /// A line or cdp that repeats, in whatever order.
    fn last_resorts(&self) -> Option<GatherChoice> {
        let key = ["inline", "crossline", "cdp"].into_iter().find(|name| self.field(name).repeats())?;
        Some(GatherChoice::of(&[key], format!("{key} repeats in consecutive traces")))
    }

    /// All traces of one shot, or of one cdp.
    fn single_gather(&self) -> Option<GatherChoice> {
        let spread = ["offset", "receiver_x", "receiver_y"].into_iter().find(|name| !self.field(name).constant)?;
        let moves = ["source_x", "source_y"].iter().any(|name| !self.field(name).constant);
        let bin_moves = BINS.iter().any(|name| !self.field(name).constant);
        let shot = SHOTS.into_iter().find(|name| self.field(name).only_value().is_some()).filter(|_| !moves);
        let cdp = (!bin_moves && self.field("cdp").only_value().is_some()).then_some("cdp");
        let key = if self.sorting_code == Some(SORTED_BY_CDP) { cdp.or(shot) } else { shot.or(cdp) }?;
        Some(GatherChoice::of(&[key], format!("{key} is the same everywhere while {spread} changes: a single gather")))
    }

    fn nothing(&self) -> GatherChoice {
        let always = |names: &[&str]| {
            let found: Vec<&str> = names.iter().copied().filter(|n| self.field(n).changes_always()).collect();
            (!found.is_empty()).then(|| found[0].to_owned())
        };
        let because = match always(&["cdp", "crossline", "inline", "cdp_x", "field_record", "trace_number", "offset"]) {
            None if self.sample.n_changing() == 0 => "all trace headers are the same".to_owned(),
            Some(name) if self.is_stacked() => {
                format!("{name} changes from trace to trace, one trace for each bin: a stacked line")
            }
            Some(name) => format!("{name} changes from trace to trace, and no other usual key repeats"),
            None => "no usual key repeats in consecutive traces".into(),
        };
        GatherChoice::of(&[], because)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_by(columns: &[(&str, &[i64])], code: Option<i16>) -> String {
        choose(&Sample::of(columns), code).option()
    }

    fn key(columns: &[(&str, &[i64])]) -> String {
        key_by(columns, None)
    }

    #[test]
    fn cdp_gathers_go_by_cdp_also_where_the_field_record_numbers_the_line() {
        let (cdp, offset) = ([1, 1, 1, 2, 2, 2], [10, 20, 30, 10, 20, 30]);
        assert_eq!(key(&[("cdp", &cdp), ("offset", &offset), ("field_record", &[4, 5, 6, 5, 6, 7])]), "cdp");
        let line = [7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8];
        let cdp: Vec<i64> = (0..12).map(|i| i / 3).collect();
        let offset: Vec<i64> = (0..12).map(|i| i % 3).collect();
        assert_eq!(key(&[("cdp", &cdp), ("offset", &offset), ("field_record", &line)]), "cdp");
    }

    #[test]
    fn shots_go_by_field_record_even_where_neighbouring_channels_share_a_cdp() {
        let n = 96;
        let shot: Vec<i64> = (0..n).map(|i| 7 + i / 48).collect();
        let cdp: Vec<i64> = (0..n).map(|i| (i % 48) / 2 + i / 48).collect();
        let offset: Vec<i64> = (0..n).map(|i| 100 + 25 * (i % 48)).collect();
        let columns: &[(&str, &[i64])] = &[("cdp", &cdp), ("field_record", &shot), ("offset", &offset)];
        assert_eq!(key(columns), "field_record");
        // Without a field record by the source point.
        let columns: &[(&str, &[i64])] = &[("cdp", &cdp), ("energy_source_point", &shot), ("offset", &offset)];
        assert_eq!(key(columns), "energy_source_point");
    }

    #[test]
    fn a_stacked_volume_goes_by_inline_whatever_repeats_its_number() {
        let line = [1, 1, 1, 2, 2, 2];
        let columns: &[(&str, &[i64])] = &[
            ("field_record", &line),
            ("energy_source_point", &[1, 1, 2, 2, 3, 3]),
            ("cdp", &[1, 2, 3, 4, 5, 6]),
            ("inline", &line),
            ("crossline", &[1, 2, 3, 1, 2, 3]),
            ("offset", &[0; 6]),
        ];
        assert_eq!(key(columns), "inline");
        let columns: &[(&str, &[i64])] = &[("crossline", &line), ("inline", &[1, 2, 3, 1, 2, 3]), ("cdp", &line)];
        assert_eq!(key(columns), "crossline");
        // Revision 0 has no place for line numbers.
        assert_eq!(key(&[("field_record", &line), ("cdp", &[1, 2, 3, 1, 2, 3])]), "field_record");
    }

    #[test]
    fn bins_without_a_cdp_number_go_by_inline_and_crossline() {
        let columns: &[(&str, &[i64])] = &[
            ("cdp", &[0; 8]),
            ("inline", &[1, 1, 1, 1, 2, 2, 2, 2]),
            ("crossline", &[1, 1, 2, 2, 1, 1, 2, 2]),
            ("offset", &[1, 2, 1, 2, 1, 2, 1, 2]),
        ];
        assert_eq!(key(columns), "inline,crossline");
    }

    #[test]
    fn a_stacked_line_has_no_gathers_even_where_stations_repeat() {
        let stations = [1, 1, 2, 2, 3, 3];
        let found = choose(&Sample::of(&[("cdp", &[1, 2, 3, 4, 5, 6]), ("field_record", &stations)]), Some(4));
        assert_eq!(found.option(), "none");
        assert!(found.because.contains("a stacked line"), "{}", found.because);
    }

    #[test]
    fn receivers_and_offsets_make_gathers_where_the_rest_changes() {
        let (stays, moves) = ([5, 5, 5, 9, 9, 9], [1, 2, 3, 1, 2, 3]);
        let columns: &[(&str, &[i64])] =
            &[("receiver_x", &stays), ("source_x", &moves), ("offset", &[4, 3, 2, 8, 7, 6]), ("field_record", &moves)];
        assert_eq!(key_by(columns, Some(6)), "receiver_x");
        assert_eq!(key(columns), "receiver_x");
        assert_eq!(key(&[("offset", &stays), ("cdp", &moves)]), "offset");
    }

    #[test]
    fn a_single_shot_or_cdp_is_one_gather_and_a_single_trace_none() {
        let spread = [0, 25, 50];
        let cdp = [11, 12, 13];
        assert_eq!(key(&[("field_record", &[3; 3]), ("offset", &spread), ("cdp", &cdp)]), "field_record");
        assert_eq!(key(&[("cdp", &[3; 3]), ("offset", &spread), ("field_record", &[7, 8, 9])]), "cdp");
        assert_eq!(key(&[("cdp", &[3; 3]), ("offset", &[0; 3]), ("field_record", &[7; 3])]), "none");
        assert_eq!(choose(&Sample::of(&[("cdp", &[3])]), None).because, "there is one trace");
    }
}
