//! Where the bins of a survey lie: the coordinates of midpoints as a function of inline and crossline numbers.
//!
//! The function is affine, fitted to the traces by least squares, as in the bin grids of the exchange format SEG P6.

use serde::{Deserialize, Serialize};

/// The bins of a survey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BinGrid {
    /// x and y of the first inline and crossline of the axes.
    pub origin: [f64; 2],
    /// From an inline number to the next.
    pub per_inline: [f64; 2],
    /// From a crossline number to the next.
    pub per_crossline: [f64; 2],
    /// Between neighbouring inlines, and between neighbouring crosslines.
    pub bin_size: [f64; 2],
    /// Of the inlines towards growing crossline numbers: degrees clockwise from the direction of y.
    pub azimuth: f64,
    /// Round the survey, from the first inline and crossline to the last crossline.
    pub corners: Vec<Corner>,
    /// Distance of the midpoint farthest from its bin.
    pub largest_residual: f64,
    /// RMS of the distances.
    pub rms_residual: f64,
}

/// A corner of a survey.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Corner {
    pub inline: i64,
    pub crossline: i64,
    pub x: f64,
    pub y: f64,
}

/// A midpoint: inline, crossline, x, y.
pub(crate) type Midpoint = [f64; 4];

/// A fit to midpoints, which are added one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fit {
    first: Option<Midpoint>,
    n: f64,
    /// Sums of the numbers, of their products with each other, and with the coordinates; all relative to the first.
    sums: [f64; 4],
    squares: [f64; 3],
    products: [[f64; 2]; 2],
}

/// An affine function of inline and crossline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    at: Midpoint,
    vectors: [[f64; 2]; 2],
}

impl Fit {
    /// Adds a midpoint; one without coordinates does not count.
    pub(crate) fn add(&mut self, midpoint: Midpoint) {
        if midpoint.iter().any(|value| !value.is_finite()) {
            return;
        }
        let first = *self.first.get_or_insert(midpoint);
        let [u, v, x, y] = std::array::from_fn(|i| midpoint[i] - first[i]);
        self.n += 1.0;
        self.sums.iter_mut().zip([u, v, x, y]).for_each(|(sum, value)| *sum += value);
        self.squares.iter_mut().zip([u * u, u * v, v * v]).for_each(|(sum, value)| *sum += value);
        for (products, number) in self.products.iter_mut().zip([u, v]) {
            products[0] += number * x;
            products[1] += number * y;
        }
    }

    /// The function nearest to the midpoints; `None` where they lie on a line, or all in one place.
    pub(crate) fn affine(&self) -> Option<Affine> {
        let (first, n) = (self.first?, self.n);
        let [u, v, x, y] = self.sums.map(|sum| sum / n);
        let [uu, uv, vv] = self.squares;
        let [uu, uv, vv] = [uu - n * u * u, uv - n * u * v, vv - n * v * v];
        let determinant = uu * vv - uv * uv;
        if determinant <= 1e-9 * uu * vv || determinant == 0.0 {
            return None;
        }
        let [[ux, uy], [vx, vy]] = self.products;
        let (of_x, of_y) = ([ux - n * u * x, vx - n * v * x], [uy - n * u * y, vy - n * v * y]);
        let solve = |[a, b]: [f64; 2]| [(a * vv - b * uv) / determinant, (b * uu - a * uv) / determinant];
        let ([x_per_u, x_per_v], [y_per_u, y_per_v]) = (solve(of_x), solve(of_y));
        let vectors = [[x_per_u, y_per_u], [x_per_v, y_per_v]];
        let at = [first[0] + u, first[1] + v, first[2] + x, first[3] + y];
        let has_size = vectors.iter().all(|[x, y]| libm::hypot(*x, *y) > 0.0);
        has_size.then_some(Affine { at, vectors })
    }
}

impl Affine {
    /// The coordinates of a bin.
    pub(crate) fn of(&self, inline: f64, crossline: f64) -> [f64; 2] {
        let (u, v) = (inline - self.at[0], crossline - self.at[1]);
        std::array::from_fn(|i| self.at[2 + i] + u * self.vectors[0][i] + v * self.vectors[1][i])
    }

    /// How far a midpoint is from its bin.
    pub(crate) fn residual(&self, [inline, crossline, x, y]: Midpoint) -> f64 {
        let [in_x, in_y] = self.of(inline, crossline);
        libm::hypot(x - in_x, y - in_y)
    }

    /// The bins of a survey with these axes.
    pub(crate) fn bin_grid(&self, axes: [&[i64]; 2], residuals: &Residuals) -> Option<BinGrid> {
        let [inlines, crosslines] = axes;
        let ends = |values: &[i64]| Some([*values.first()?, *values.last()?]);
        let ([first, last], [left, right]) = (ends(inlines)?, ends(crosslines)?);
        let corner = |(inline, crossline): (i64, i64)| {
            let [x, y] = self.of(inline as f64, crossline as f64);
            Corner { inline, crossline, x, y }
        };
        let [per_inline, per_crossline] = self.vectors;
        // Towards growing numbers, whichever way the axis goes. By `libm`, which gives the same on all systems.
        let azimuth = libm::atan2(per_crossline[0], per_crossline[1]).to_degrees().rem_euclid(360.0);
        let size = |[x, y]: [f64; 2], values: &[i64]| libm::hypot(x, y) * least_step(values) as f64;
        Some(BinGrid {
            origin: self.of(first as f64, left as f64),
            per_inline,
            per_crossline,
            bin_size: [size(per_inline, inlines), size(per_crossline, crosslines)],
            azimuth,
            corners: [(first, left), (first, right), (last, right), (last, left)].map(corner).into(),
            largest_residual: residuals.largest,
            rms_residual: (residuals.squares / residuals.n.max(1.0)).sqrt(),
        })
    }
}

/// Distances of midpoints from their bins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Residuals {
    n: f64,
    squares: f64,
    largest: f64,
}

impl Residuals {
    /// Adds one.
    pub(crate) fn add(&mut self, residual: f64) {
        if residual.is_finite() {
            self.n += 1.0;
            self.squares += residual * residual;
            self.largest = self.largest.max(residual);
        }
    }
}

/// The smallest step between neighbouring values.
fn least_step(values: &[i64]) -> u64 {
    values.windows(2).map(|pair| pair[0].abs_diff(pair[1])).min().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_survey_is_found_again() {
        let (sine, cosine) = 30_f64.to_radians().sin_cos();
        // Inlines 25 m apart in steps of 2, crosslines 12.5 m, turned by 30 degrees clockwise from north.
        let at = |inline: f64, crossline: f64| {
            let (along, across) = ((crossline - 300.0) * 12.5, (inline - 100.0) * 12.5);
            [inline, crossline, 450e3 + along * sine + across * cosine, 6780e3 + along * cosine - across * sine]
        };
        let (inlines, crosslines): (Vec<i64>, Vec<i64>) = ((100..140).step_by(2).collect(), (300..320).collect());
        let (mut fit, mut residuals) = (Fit::default(), Residuals::default());
        let all = || inlines.iter().flat_map(|&i| crosslines.iter().map(move |&j| (i as f64, j as f64)));
        all().for_each(|(i, j)| fit.add(at(i, j)));
        fit.add([1.0, 2.0, f64::NAN, 0.0]);
        let affine = fit.affine().unwrap();
        all().for_each(|(i, j)| residuals.add(affine.residual(at(i, j))));
        let found = affine.bin_grid([&inlines, &crosslines], &residuals).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(
            near(found.azimuth, 30.0) && near(found.bin_size[0], 25.0) && near(found.bin_size[1], 12.5),
            "{found:?}"
        );
        assert!(near(found.origin[0], 450e3) && near(found.origin[1], 6780e3) && found.largest_residual < 1e-6);
        assert_eq!((found.corners[2].inline, found.corners[2].crossline), (138, 319));
        assert!(near(found.corners[2].x, at(138.0, 319.0)[2]));
    }

    #[test]
    fn a_midpoint_beside_its_bin_shows() {
        let mut fit = Fit::default();
        for i in 0..10 {
            (0..10).for_each(|j| fit.add([f64::from(i), f64::from(j), f64::from(i * 10), f64::from(j * 10)]));
        }
        let (affine, mut residuals) = (fit.affine().unwrap(), Residuals::default());
        residuals.add(affine.residual([2.0, 2.0, 23.0, 24.0]));
        let found = affine.bin_grid([&[0, 9], &[0, 9]], &residuals).unwrap();
        assert!((found.largest_residual - 5.0).abs() < 1e-9);
    }

    #[test]
    fn midpoints_on_a_line_or_in_one_place_have_no_bins() {
        let mut line = Fit::default();
        (0..10).for_each(|i| line.add([f64::from(i), f64::from(2 * i), f64::from(i), 0.0]));
        assert!(line.affine().is_none());
        let mut place = Fit::default();
        (0..10).for_each(|i| (0..10).for_each(|j| place.add([f64::from(i), f64::from(j), 0.0, 0.0])));
        assert!(place.affine().is_none());
        assert!(Fit::default().affine().is_none());
    }
}
