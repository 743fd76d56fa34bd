//! Curves of many values in few columns, and the frame that they are drawn in.

/// From numbers to places in a frame whose origin is its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    /// Numbers at the left and the right edge.
    pub x: [f64; 2],
    /// Numbers at the bottom and the top.
    pub y: [f64; 2],
    /// Width and height.
    pub size: [f64; 2],
}

impl Frame {
    /// Where a number of the horizontal axis is.
    pub(crate) fn across(&self, x: f64) -> f64 {
        share(x, self.x) * self.size[0]
    }

    /// Where a number of the vertical axis is, from the top.
    pub(crate) fn down(&self, y: f64) -> f64 {
        (1.0 - share(y, self.y)) * self.size[1]
    }
}

fn share(value: f64, [low, high]: [f64; 2]) -> f64 {
    if high == low { 0.5 } else { (value - low) / (high - low) }
}

/// Smallest and largest of the finite numbers.
pub(crate) fn range(values: impl IntoIterator<Item = f64>) -> Option<[f64; 2]> {
    values.into_iter().filter(|v| v.is_finite()).fold(None, |known: Option<[f64; 2]>, v| {
        let [low, high] = known.unwrap_or([v, v]);
        Some([low.min(v), high.max(v)])
    })
}

/// Smallest and largest value in each of `n` equal parts of `width` positions; `None` where there is nothing. `points` are
/// positions from 0 and values.
pub(crate) fn envelope(points: impl IntoIterator<Item = (u64, f64)>, width: u64, n: usize) -> Vec<Option<[f64; 2]>> {
    let mut columns: Vec<Option<[f64; 2]>> = vec![None; n];
    for (position, value) in points {
        let column = u128::from(position) * n as u128 / u128::from(width.max(1));
        if let Some(column) = columns.get_mut(column as usize) {
            let [low, high] = column.unwrap_or([value, value]);
            *column = Some([low.min(value), high.max(value)]);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_holds_every_value() {
        let points = [(0, 5.0), (1, 7.0), (4, -1.0), (9, 2.0)];
        assert_eq!(envelope(points, 10, 5), [Some([5.0, 7.0]), None, Some([-1.0, -1.0]), None, Some([2.0, 2.0])]);
    }

    #[test]
    fn the_top_of_a_frame_is_its_largest_number() {
        let frame = Frame { x: [0.0, 10.0], y: [-1.0, 1.0], size: [100.0, 50.0] };
        assert_eq!((frame.across(2.5), frame.down(1.0), frame.down(-1.0), frame.down(0.0)), (25.0, 0.0, 50.0, 25.0));
        assert_eq!(Frame { x: [3.0, 3.0], ..frame }.across(3.0), 50.0);
    }
}
