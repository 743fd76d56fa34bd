//! Maps: points in a plane with equal axes, and how many lie in each cell.

use crate::picture::axis::round_step;

/// From coordinates to places in a map, north up, the same scale in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MapFrame {
    /// The lowest coordinates.
    pub origin: [f64; 2],
    /// Extent in coordinates.
    pub extent: [f64; 2],
    /// Places for each unit of the coordinates.
    pub per_unit: f64,
    /// Width and height of the map.
    pub size: [f64; 2],
}

impl MapFrame {
    /// The map that holds all these points and is at most this wide and high. `None` if there is no finite point.
    pub(crate) fn fit(points: impl IntoIterator<Item = [f64; 2]>, most: [f64; 2]) -> Option<Self> {
        let finite = points.into_iter().filter(|p| p.iter().all(|c| c.is_finite()));
        let [low, high] = finite.fold(None, |known: Option<[[f64; 2]; 2]>, p| {
            let [low, high] = known.unwrap_or([p, p]);
            Some([[low[0].min(p[0]), low[1].min(p[1])], [high[0].max(p[0]), high[1].max(p[1])]])
        })?;
        let extent = [high[0] - low[0], high[1] - low[1]];
        let per_axis = [0, 1].map(|i| if extent[i] > 0.0 { most[i] / extent[i] } else { f64::INFINITY });
        let per_unit = per_axis[0].min(per_axis[1]);
        let per_unit = if per_unit.is_finite() && per_unit > 0.0 { per_unit } else { 1.0 };
        Some(Self { origin: low, extent, per_unit, size: extent.map(|e| e * per_unit) })
    }

    /// Where a point is, from the upper left corner.
    pub(crate) fn place(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x - self.origin[0]) * self.per_unit, self.size[1] - (y - self.origin[1]) * self.per_unit]
    }

    /// A round length of at most a third of the map's larger side: in coordinates, and on the map.
    pub(crate) fn scale_bar(&self) -> Option<(f64, f64)> {
        let side = self.extent[0].max(self.extent[1]);
        let length = round_step(side / 8.0);
        (length > 0.0).then_some((length, length * self.per_unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_axes_have_the_same_scale_and_north_is_up() {
        let corners = [[1000.0, 5000.0], [3000.0, 6000.0], [f64::NAN, 0.0]];
        let map = MapFrame::fit(corners, [400.0, 400.0]).unwrap();
        assert_eq!((map.size, map.per_unit), ([400.0, 200.0], 0.2));
        assert_eq!(map.place([1000.0, 6000.0]), [0.0, 0.0]);
        assert_eq!(map.place([3000.0, 5000.0]), [400.0, 200.0]);
        let (east, north) = (map.place([1100.0, 5000.0])[0], map.size[1] - map.place([1000.0, 5100.0])[1]);
        assert!((east - north).abs() < 1e-9 && (east - 20.0).abs() < 1e-9);
        assert_eq!(map.scale_bar(), Some((500.0, 100.0)));
    }

    #[test]
    fn a_line_and_a_single_point_have_a_map() {
        let line = MapFrame::fit([[0.0, 7.0], [10.0, 7.0]], [100.0, 50.0]).unwrap();
        assert_eq!((line.size, line.place([10.0, 7.0])), ([100.0, 0.0], [100.0, 0.0]));
        let point = MapFrame::fit([[3.0, 3.0]], [100.0, 100.0]).unwrap();
        assert_eq!((point.place([3.0, 3.0]), point.scale_bar()), ([0.0, 0.0], None));
        assert_eq!(MapFrame::fit([], [1.0, 1.0]), None);
    }
}
