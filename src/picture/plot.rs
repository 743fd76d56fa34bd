//! A picture with axes.

use crate::picture::axis::{label, ticks};
use crate::picture::font::{HEIGHT, WIDTH};
use crate::picture::raster::Raster;

/// Pixels between ticks, at least.
const TICK_PIXELS: usize = 60;
/// Length of a tick.
const TICK: usize = 5;
/// Pixels of the mark of a bound outside the picture, and inside.
const BOUND: [usize; 2] = [3, 5];
/// Pixels from bound to bound; if there are more, they are not marked.
const BOUND_PIXELS: usize = 6;

/// What is written around a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Axes {
    /// Above the picture.
    pub title: String,
    /// What is counted from left to right, with the numbers of the first and the last column.
    pub across: Axis,
    /// What is counted from top to bottom, likewise.
    pub down: Axis,
    /// Bounds between the columns, marked at the top edge: shares of the width, from 0 to 1.
    pub bounds: Vec<f64>,
}

/// One axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Axis {
    /// What it counts, with its unit.
    pub name: String,
    /// The number at the first pixel.
    pub first: f64,
    /// The number at the last pixel.
    pub last: f64,
}

impl Axis {
    /// Ticks on an axis of `n` pixels: their pixels and labels.
    fn ticks(&self, n: usize, per_tick: usize) -> Vec<(usize, String)> {
        let (marks, step) = ticks(self.first, self.last, n / per_tick);
        let width = self.last - self.first;
        let place = |mark: f64| ((mark - self.first) / width * (n - 1) as f64).round() as usize;
        let inside = marks.into_iter().filter(|_| width != 0.0 && n > 1);
        inside.map(|mark| (place(mark), label(mark, step))).collect()
    }
}

/// Puts axes around a picture. Its palette gets three more colours: paper, ink and grey. Transparent pixels become paper.
pub(crate) fn with_axes(picture: &Raster, axes: &Axes) -> Raster {
    let mut palette = picture.palette.clone();
    let paper = palette.len() as u8;
    palette.extend([[255; 3], [20, 20, 20], [150; 3]]);
    let (ink, grey) = (paper + 1, paper + 2);
    let down = axes.down.ticks(picture.height, TICK_PIXELS.min(picture.height.max(40) / 2));
    let widest = down.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0);
    let left = (widest.max(axes.down.name.chars().count()) + 1) * WIDTH + TICK + 2;
    let top = 3 * HEIGHT + TICK + 4;
    let (width, height) = (left + picture.width + 3 * WIDTH, top + picture.height + HEIGHT / 2);
    let mut plot = Raster::new(width, height, palette);
    plot.pixels.fill(paper);
    plot.fill((left - 1, top - 1), (picture.width + 2, picture.height + 2), grey);
    let mut inside = picture.clone();
    if let Some(transparent) = picture.transparent {
        inside.pixels.iter_mut().filter(|p| **p == transparent).for_each(|p| *p = paper);
    }
    plot.put(&inside, (left, top));
    plot.text(&fitting(&axes.title, width - 4), (4, 2), ink);
    plot.text(&fitting(&axes.across.name, width - left), (left, HEIGHT + 4), ink);
    plot.text(&axes.down.name, (4, top - HEIGHT - TICK), ink);
    for (y, text) in down {
        plot.fill((left - 1 - TICK, top + y), (TICK, 1), ink);
        let x = left - TICK - 3 - text.chars().count() * WIDTH;
        plot.text(&text, (x, (top + y).saturating_sub(HEIGHT / 2)), ink);
    }
    let widest = [axes.across.first, axes.across.last].map(|v| label(v, 1.0).len()).into_iter().max().unwrap_or(1);
    for (x, text) in axes.across.ticks(picture.width, ((widest + 3) * WIDTH).max(TICK_PIXELS)) {
        plot.fill((left + x, top - 1 - TICK), (1, TICK), ink);
        let half = text.chars().count() * WIDTH / 2;
        plot.text(&text, ((left + x).saturating_sub(half), top - TICK - HEIGHT - 1), ink);
    }
    for x in bound_places(&axes.bounds, picture.width, BOUND_PIXELS) {
        plot.fill((left + x, top - BOUND[0]), (1, BOUND[0] + BOUND[1].min(picture.height)), ink);
    }
    plot
}

/// The places of bounds in `width` columns; none if they are nearer to each other than `apart` on average.
pub(crate) fn bound_places(bounds: &[f64], width: usize, apart: usize) -> Vec<usize> {
    let most = width / apart;
    let place = |share: &f64| ((share * width as f64) as usize).min(width.saturating_sub(1));
    bounds.iter().filter(|_| bounds.len() <= most).map(place).collect()
}

fn fitting(text: &str, width: usize) -> String {
    text.chars().take(width / WIDTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_inside_its_axes_unchanged() {
        let picture =
            Raster { width: 200, height: 150, pixels: vec![1; 200 * 150], ..Raster::new(0, 0, vec![[9; 3], [7; 3]]) };
        let axes = Axes {
            title: "a line".into(),
            across: Axis { name: "trace".into(), first: 1.0, last: 200.0 },
            down: Axis { name: "ms".into(), first: 0.0, last: 596.0 },
            bounds: Vec::new(),
        };
        let plot = with_axes(&picture, &axes);
        assert_eq!(plot.pixels.iter().filter(|&&p| p == 1).count(), 200 * 150);
        assert!(plot.width > 200 && plot.height > 150);
        assert!(plot.pixels.contains(&3), "something is written");
        assert!(plot.png().is_ok());
    }

    #[test]
    fn bounds_are_marked_at_the_top_edge_unless_there_are_too_many() {
        let picture =
            Raster { width: 200, height: 150, pixels: vec![1; 200 * 150], ..Raster::new(0, 0, vec![[9; 3], [7; 3]]) };
        let inside = |bounds: Vec<f64>| {
            let plot = with_axes(&picture, &Axes { bounds, ..Axes::default() });
            200 * 150 - plot.pixels.iter().filter(|&&p| p == 1).count()
        };
        assert_eq!(inside(vec![0.25, 0.5]), 2 * BOUND[1]);
        assert_eq!(inside((0..100).map(|i| f64::from(i) / 100.0).collect()), 0);
        assert_eq!(bound_places(&[0.25, 1.0], 200, 6), [50, 199]);
    }

    #[test]
    fn ticks_are_at_their_pixels() {
        let axis = Axis { name: String::new(), first: 0.0, last: 100.0 };
        assert_eq!(axis.ticks(101, 50), [(0, "0".into()), (50, "50".into()), (100, "100".into())]);
        let down = Axis { name: String::new(), first: 30.0, last: 10.0 };
        assert_eq!(down.ticks(21, 10).first(), Some(&(20, "10".into())));
    }
}
