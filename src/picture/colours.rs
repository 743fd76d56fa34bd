//! Colour maps, from the lowest to the highest amplitude, as stops with straight lines between them.
//!
//! `vik` and `batlow` are every sixteenth row of the tables by Fabio Crameri (Scientific colour maps 8,
//! <https://doi.org/10.5281/zenodo.1243862>, MIT licence: see LICENSE-COLOURS). They also work for colour-blind people, and
//! equal steps look equal.

/// Red, green, blue.
pub(crate) type Colour = [u8; 3];

/// A colour map.
#[derive(Debug, PartialEq)]
pub struct ColourMap {
    /// What options call it.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Colours at equal distances.
    pub stops: &'static [Colour],
}

/// All of them, the default first. The first five are for amplitudes about zero, the last for data of one sign.
pub(crate) static COLOUR_MAPS: &[ColourMap] = &[
    ColourMap { name: "grey", about: "black peaks", stops: &[[255, 255, 255], [0, 0, 0]] },
    ColourMap { name: "grey-reversed", about: "white peaks", stops: &[[0, 0, 0], [255, 255, 255]] },
    ColourMap {
        name: "red-white-blue",
        about: "blue peaks, red troughs",
        stops: &[[140, 0, 0], [230, 40, 30], [255, 255, 255], [40, 60, 230], [0, 0, 110]],
    },
    ColourMap { name: "vik", about: "blue, white, red; for colour-blind people too", stops: VIK },
    ColourMap {
        name: "brown-blue",
        about: "cyan, blue, grey, brown, yellow, as interpretation programs have it",
        stops: &[
            [161, 255, 255],
            [117, 130, 204],
            [104, 92, 158],
            [130, 121, 148],
            [201, 201, 201],
            [164, 123, 87],
            [170, 99, 33],
            [210, 139, 3],
            [255, 255, 0],
        ],
    },
    ColourMap { name: "batlow", about: "for velocities and fold", stops: BATLOW },
];

#[rustfmt::skip]
const VIK: &[Colour] = &[
    [0, 18, 97], [2, 43, 113], [3, 68, 129], [12, 94, 146], [48, 125, 166], [97, 158, 189], [148, 190, 210], [198, 219, 230],
    [236, 229, 224], [233, 204, 186], [220, 172, 144], [207, 142, 104], [195, 114, 67], [179, 83, 31], [148, 47, 6],
    [116, 21, 6], [89, 0, 8],
];

#[rustfmt::skip]
const BATLOW: &[Colour] = &[
    [1, 25, 89], [13, 49, 93], [17, 67, 96], [23, 82, 98], [34, 96, 97], [53, 106, 89], [77, 115, 77], [103, 123, 62],
    [130, 130, 49], [159, 137, 43], [190, 144, 53], [219, 149, 75], [241, 157, 107], [252, 168, 144], [253, 180, 180],
    [252, 191, 214], [250, 204, 250],
];

/// The map for amplitudes about zero unless another is asked for.
pub(crate) fn grey() -> &'static ColourMap {
    &COLOUR_MAPS[0]
}

/// The map for data of one sign.
pub(crate) fn batlow() -> &'static ColourMap {
    &COLOUR_MAPS[COLOUR_MAPS.len() - 1]
}

/// The map of this name.
pub fn colour_map(name: &str) -> Option<&'static ColourMap> {
    COLOUR_MAPS.iter().find(|map| map.name == name)
}

impl ColourMap {
    /// The colour at a place from 0 to 1.
    pub(crate) fn colour(&self, place: f32) -> Colour {
        let last = self.stops.len().saturating_sub(1);
        let at = place.clamp(0.0, 1.0) * last as f32;
        let stop = |i: usize| self.stops.get(i.min(last)).copied().unwrap_or_default();
        let (before, after, share) = (stop(at as usize), stop(at as usize + 1), at.fract());
        std::array::from_fn(|i| {
            let (a, b) = (f32::from(before[i]), f32::from(after[i]));
            (a + (b - a) * share).round() as u8
        })
    }

    /// `n` colours from one end to the other.
    pub(crate) fn palette(&self, n: usize) -> Vec<Colour> {
        (0..n).map(|i| self.colour(i as f32 / n.saturating_sub(1).max(1) as f32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_middle_are_stops() {
        assert_eq!(grey().palette(3), [[255; 3], [128; 3], [0; 3]]);
        let vik = colour_map("vik").unwrap();
        assert_eq!([vik.colour(0.0), vik.colour(0.5), vik.colour(1.0)], [[0, 18, 97], [236, 229, 224], [89, 0, 8]]);
        assert_eq!(vik.colour(7.0), vik.colour(1.0));
    }

    #[test]
    fn every_map_about_zero_has_a_stop_at_zero_or_runs_straight_through_it() {
        for map in COLOUR_MAPS.iter().filter(|m| **m != *batlow()) {
            assert!(map.stops.len() % 2 == 1 || map.stops.len() == 2, "{}", map.name);
        }
    }
}
