//! Drawing a section as asked for.

use crate::picture::colours::{batlow, grey};
use crate::picture::density::density;
use crate::picture::wiggle::wiggle;
use crate::picture::{ColourMap, Raster, Scale, Section};

/// Levels of a colour map, odd so that zero has one of its own; there is room for the colours of axes.
const LEVELS: u8 = 251;
/// Pixels from wiggle to wiggle, at least.
const WIGGLE_PIXELS: usize = 5;
/// Unless a size is asked for, pictures are no smaller and no larger than this, width and height.
const LEAST: [usize; 2] = [800, 500];
const MOST: [usize; 2] = [1600, 900];

/// How a section is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawing {
    /// Share of the amplitudes that the colours span, in percent.
    pub percentile: f64,
    /// Decibels by which amplitudes are raised.
    pub gain: f64,
    /// Whether the polarity is reversed.
    pub is_reversed: bool,
    /// Colours; by default grey, or batlow for data of one sign.
    pub map: Option<&'static ColourMap>,
    /// Wiggles with filled peaks instead of colours.
    pub is_wiggle: bool,
    /// Width and height in pixels; by default a pixel for each trace and sample, unless that is too small or too large.
    pub size: [Option<usize>; 2],
}

impl Drawing {
    /// Draws a section.
    pub(crate) fn draw(&self, section: &Section) -> Raster {
        let [width, height] = self.size_for(section);
        if self.is_wiggle {
            let n_most = (width / WIGGLE_PIXELS).max(2) - 1;
            let few = section.reduced(n_most, usize::MAX);
            return wiggle(&few, self.scale(&few, section), width / (few.n_traces() + 1).max(1), height);
        }
        let small = section.reduced(width, height);
        let scale = self.scale(&small, section);
        let usual = if scale.is_symmetric() { grey() } else { batlow() };
        density(&small, scale, self.map.unwrap_or(usual), LEVELS).resized(width, height)
    }

    /// The scale of what is drawn, symmetric if that of the whole is.
    fn scale(&self, drawn: &Section, whole: &Section) -> Scale {
        let scale = Scale::of(whole, self.percentile).like(drawn, self.percentile).with_gain(self.gain);
        if self.is_reversed { scale.reversed() } else { scale }
    }

    fn size_for(&self, section: &Section) -> [usize; 2] {
        let natural = [section.n_traces(), section.n_samples];
        [0, 1].map(|i| {
            let n = natural[i].max(1);
            let whole = if n < LEAST[i] { n * LEAST[i].div_ceil(n) } else { n.min(MOST[i]) };
            self.size[i].unwrap_or(whole).max(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sections_are_enlarged_and_large_ones_reduced() {
        let (percentile, gain, is_reversed) = (99.0, 0.0, false);
        let drawing = Drawing { percentile, gain, is_reversed, map: None, is_wiggle: false, size: [None, None] };
        let small = drawing.draw(&Section { n_samples: 10, values: vec![1.0; 100] });
        assert_eq!((small.width, small.height), (800, 500));
        let large = drawing.draw(&Section { n_samples: 5000, values: vec![1.0; 5000 * 3] });
        assert_eq!((large.width, large.height), (801, 900));
        let asked = Drawing { size: [Some(80), Some(50)], is_wiggle: true, ..drawing };
        let wiggles = asked.draw(&Section { n_samples: 10, values: vec![1.0; 100] });
        assert_eq!(wiggles.height, 50);
        assert!(wiggles.width <= 80);
    }
}
