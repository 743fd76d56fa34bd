//! Wiggles with filled peaks, as sections were plotted on paper.

use std::ops::Range;

use crate::picture::{Raster, Scale, Section};

/// A trace that reaches the ends of the scale swings by this many distances between traces.
const SWING: f32 = 1.2;

/// Draws wiggles in colour 1 on colour 0, which is transparent, `trace_pixels` from trace to trace. `scale` is taken as
/// symmetric about its middle.
pub(crate) fn wiggle(section: &Section, scale: Scale, trace_pixels: usize, height: usize) -> Raster {
    let n = section.n_traces();
    let mut raster = Raster::new((n + 1) * trace_pixels, height, vec![[255; 3], [0; 3]]);
    raster.transparent = Some(0);
    for (i, trace) in section.traces().enumerate() {
        let base = ((i + 1) * trace_pixels) as f32;
        let mut last = None;
        for y in 0..height {
            let Some(swing) = swing(trace, scale, y, height).map(|s| s * SWING * trace_pixels as f32) else {
                last = None;
                continue;
            };
            let x = base + swing;
            pixels(last.unwrap_or(x), x).for_each(|x| raster.set(x, y, 1));
            if swing > 0.0 {
                pixels(base, x).for_each(|x| raster.set(x, y, 1));
            }
            last = Some(x);
        }
    }
    raster
}

/// The pixels from one place to another, both included.
fn pixels(from: f32, to: f32) -> Range<usize> {
    let (low, high) = (from.min(to).max(0.0).round() as usize, from.max(to).max(0.0).round() as usize);
    low..high + 1
}

/// Amplitude at a row, -1 to 1 at the ends of the scale, on the straight line between two samples.
fn swing(trace: &[f32], scale: Scale, row: usize, height: usize) -> Option<f32> {
    let at = row as f32 / (height - 1).max(1) as f32 * trace.len().checked_sub(1)? as f32;
    let before = trace.get(at as usize)?;
    let after = trace.get(at as usize + 1).unwrap_or(before);
    let value = before + (after - before) * at.fract();
    Some(scale.place(value)? * 2.0 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_filled_to_the_right_and_troughs_are_lines() {
        let section = Section { n_samples: 3, values: vec![0.0, 1.0, -1.0] };
        let raster = wiggle(&section, Scale { low: -1.0, high: 1.0 }, 10, 3);
        let row = |y: usize| (0..raster.width).filter(|&x| raster.get(x, y) == Some(1)).collect::<Vec<_>>();
        assert_eq!(row(0), [10]);
        assert_eq!(row(1), (10..20).collect::<Vec<_>>(), "a peak, up to the edge of the picture");
        assert_eq!(row(2).first(), Some(&0), "a trough swings to the left");
    }

    #[test]
    fn a_gap_leaves_no_line() {
        let section = Section { n_samples: 3, values: vec![0.0, f32::NAN, 0.0] };
        let raster = wiggle(&section, Scale { low: -1.0, high: 1.0 }, 4, 3);
        assert_eq!(raster.pixels.iter().filter(|&&p| p == 1).count(), 1);
    }
}
