//! Variable density: every sample is a pixel.

use crate::picture::colours::Colour;
use crate::picture::section::is_dead;
use crate::picture::{ColourMap, Raster, Scale, Section};

/// Draws a section, a column of pixels for each trace, the first sample at the top. The palette has `n_levels` colours from
/// the lowest to the highest amplitude and a transparent one, `n_levels`, for dead traces and missing samples.
pub(crate) fn density(section: &Section, scale: Scale, map: &ColourMap, n_levels: u8) -> Raster {
    let mut palette: Vec<Colour> = map.palette(usize::from(n_levels));
    palette.push([255; 3]);
    let mut raster = Raster::new(section.n_traces(), section.n_samples, palette);
    raster.transparent = Some(n_levels);
    raster.pixels.fill(n_levels);
    for (x, trace) in section.traces().enumerate().filter(|(_, trace)| !is_dead(trace)) {
        for (y, &value) in trace.iter().enumerate() {
            if let Some(place) = scale.place(value) {
                raster.set(x, y, level(place, n_levels));
            }
        }
    }
    raster
}

/// The level at a place from 0 to 1; all levels but the two at the ends are equally wide.
fn level(place: f32, n_levels: u8) -> u8 {
    (place * f32::from(n_levels.saturating_sub(1))).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::colours::grey;

    #[test]
    fn amplitudes_get_their_grey_levels_and_places() {
        // Three traces of two samples: a peak above a trough, a dead one, and one beyond the ends with a gap.
        let values = vec![1.0, -1.0, 0.0, 0.0, 5.0, f32::NAN];
        let raster = density(&Section { n_samples: 2, values }, Scale { low: -2.0, high: 2.0 }, grey(), 5);
        assert_eq!((raster.width, raster.height), (3, 2));
        // Row after row: the first samples, then the second ones.
        assert_eq!(raster.pixels, [3, 5, 4, 1, 5, 5]);
        let greys: Vec<_> = (0..3).map(|x| raster.colour(x, 0)).collect();
        assert_eq!(greys, [Some([64; 3]), None, Some([0; 3])]);
    }

    #[test]
    fn zero_is_the_middle_of_an_odd_number_of_levels() {
        let raster =
            density(&Section { n_samples: 2, values: vec![0.0, 3.0] }, Scale { low: -3.0, high: 3.0 }, grey(), 63);
        assert_eq!(raster.pixels, [31, 62]);
    }
}
