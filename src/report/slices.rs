//! Time and depth slices: one sample of every trace, by inline and crossline.

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::picture::Section;
use crate::picture::curve::range;
use crate::report::sections::{Down, View};
use crate::report::source::{OnTraces, Source};
use crate::table::Column;

/// Places of a slice in each direction, at most; if there are more lines, only every n-th is shown.
const MOST_LINES: u64 = 2000;

/// The slice at a time or depth, with the crosslines from left to right and the inlines from top to bottom.
///
/// # Errors
/// `Error::Usage` if there is no such sample, or inline and crossline do not both vary.
pub(super) fn slice(source: &mut dyn Source, at: f64, on_traces: OnTraces, cancel: &CancelHandle) -> Result<View> {
    let shape = source.shape().clone();
    let sample = sample_at(source, at)?;
    let [crossline, inline] = ["crossline", "inline"].map(|name| shape.column(name));
    let (Some(crossline), Some(inline)) = (crossline, inline) else { return Err(no_grid()) };
    let columns: [&Column; 2] = [crossline, inline];
    let mut ranges = [None; 2];
    let mut widen = |_: u64, values: &[Vec<f64>]| {
        for (known, values) in ranges.iter_mut().zip(values) {
            *known = range(known.iter().flatten().copied().chain(values.iter().copied()));
        }
    };
    source.every_trace(&columns, &mut widen, on_traces, cancel)?;
    let [Some(x), Some(y)] = ranges else { return Err(no_grid()) };
    if x[0] == x[1] || y[0] == y[1] {
        return Err(no_grid());
    }
    let step = [x, y].map(|[low, high]| ((high - low) as u64 + 1).div_ceil(MOST_LINES));
    let size = [0, 1].map(|i| (([x, y][i][1] - [x, y][i][0]) as u64 / step[i]) as usize + 1);
    let mut section = Section { n_samples: size[1], values: vec![f32::NAN; size[0] * size[1]] };
    let mut put = |values: &[Vec<f64>], samples: &[f32]| {
        let [of_x, of_y] = values else { return };
        for ((px, py), &value) in of_x.iter().zip(of_y).zip(samples) {
            let [i, j] = [((px - x[0]) as u64, step[0]), ((py - y[0]) as u64, step[1])];
            let is_shown = i.0.is_multiple_of(i.1) && j.0.is_multiple_of(j.1);
            if let Some(place) = section.values.get_mut((i.0 / i.1) as usize * size[1] + (j.0 / j.1) as usize)
                && is_shown
            {
                *place = value;
            }
        }
    };
    source.every_sample(sample, &columns, &mut put, on_traces, cancel)?;
    let units = shape.axis.units.clone().unwrap_or_default();
    let value = shape.axis.value(sample as u64);
    let crosslines = (0..size[0] as u64).map(|i| x[0] + (i * step[0]) as f64).collect();
    Ok(View {
        title: format!("Slice at {value} {units}"),
        section,
        traces: (0..size[0] as u64).collect(),
        told: vec![("crossline".into(), crosslines)],
        across: Some(0),
        down: Some(Down { name: "inline".into(), first: y[0], last: y[0] + ((size[1] - 1) as u64 * step[1]) as f64 }),
        ..View::default()
    })
}

fn no_grid() -> Error {
    Error::Usage(
        "--slice: inline and crossline do not both vary; --field says where they are, as in inline=9:i32".into(),
    )
}

/// The sample nearest to a time or depth.
fn sample_at(source: &dyn Source, at: f64) -> Result<usize> {
    let shape = source.shape();
    let last = shape.n_samples.saturating_sub(1) as u64;
    let [first, end] = [0, last].map(|i| shape.axis.value(i));
    let place = if end > first { ((at - first) / (end - first) * last as f64).round() } else { 0.0 };
    if (0.0..=last as f64).contains(&place) && shape.n_samples > 0 {
        return Ok(place as usize);
    }
    let units = shape.axis.units.as_deref().unwrap_or("");
    Err(Error::Usage(format!("--slice {at}: the samples go from {first} to {end} {units}")))
}
