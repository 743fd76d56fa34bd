//! Pictures of seismic data as plain pixels and numbers: sections in colour or as wiggles, spectra, histograms, maps.
//!
//! A [`Section`] is traces side by side; [`Scale`] says which amplitude gets which end of a [`ColourMap`], and
//! [`density`] or [`wiggle`] makes a [`Raster`] of them, which is written as PNG. Knows neither HTML nor terminals.

pub mod axis;
pub mod colours;
pub mod curve;
pub mod density;
pub mod drawn;
mod font;
pub mod histogram;
pub mod map;
pub mod plot;
pub mod raster;
pub mod scale;
pub mod section;
pub mod spectrum;
pub mod wiggle;

pub use colours::ColourMap;
pub use raster::Raster;
pub use scale::Scale;
pub use section::Section;
