//! A section drawn as somebody wants it.

use crate::picture::density::density;
use crate::picture::wiggle::wiggle;
use crate::picture::{ColourMap, Raster, Scale, Section};

/// Levels of a colour map, odd so that zero has one of its own; there is room for the colours of axes.
const LEVELS: u8 = 251;
/// Pixels from wiggle to wiggle, at least.
const WIGGLE_PIXELS: usize = 5;
/// Small sections are drawn at least so large, and no section larger than so by itself.
const LEAST: [usize; 2] = [640, 420];
const MOST: [usize; 2] = [2400, 1600];

/// How a section is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawing {
    pub scale: Scale,
    pub map: &'static ColourMap,
    pub is_wiggle: bool,
    /// Width and height in pixels; by itself a pixel for each trace and sample where that is neither small nor large.
    pub size: [Option<usize>; 2],
}

impl Drawing {
    /// Draws a section.
    pub fn draw(&self, section: &Section) -> Raster {
        let [width, height] = self.size_for(section);
        if self.is_wiggle {
            let n_most = (width / WIGGLE_PIXELS).max(2) - 1;
            let few = section.reduced(n_most, usize::MAX);
            return wiggle(&few, self.scale, width / (few.n_traces() + 1).max(1), height);
        }
        density(&section.reduced(width, height), self.scale, self.map, LEVELS).resized(width, height)
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
    use crate::picture::colours::grey;

    #[test]
    fn small_sections_are_enlarged_and_large_ones_reduced() {
        let drawing =
            Drawing { scale: Scale { low: -1.0, high: 1.0 }, map: grey(), is_wiggle: false, size: [None, None] };
        let small = drawing.draw(&Section { n_samples: 10, values: vec![1.0; 100] });
        assert_eq!((small.width, small.height), (640, 420));
        let large = drawing.draw(&Section { n_samples: 5000, values: vec![1.0; 5000 * 3] });
        assert_eq!((large.width, large.height), (642, 1600));
        let asked = Drawing { size: [Some(80), Some(50)], is_wiggle: true, ..drawing };
        let wiggles = asked.draw(&Section { n_samples: 10, values: vec![1.0; 100] });
        assert_eq!(wiggles.height, 50);
        assert!(wiggles.width <= 80);
    }
}
