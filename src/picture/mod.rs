//! Pictures of seismic data as plain pixels and numbers: sections in colour or as wiggles, spectra, histograms, maps.
//!
//! A [`Section`] is traces side by side; [`Scale`] says which amplitude gets which end of a [`ColourMap`], and
//! [`density`] or [`wiggle`] makes a [`Raster`] of them, which is written as PNG. Knows neither HTML nor terminals.

pub(crate) mod axis;
pub(crate) mod colours;
pub(crate) mod curve;
pub(crate) mod density;
pub(crate) mod drawn;
mod font;
pub(crate) mod histogram;
pub(crate) mod map;
pub(crate) mod plot;
pub(crate) mod raster;
pub(crate) mod scale;
pub(crate) mod section;
pub(crate) mod spectrum;
pub(crate) mod wiggle;

pub(crate) use colours::ColourMap;
pub(crate) use raster::Raster;
pub(crate) use scale::Scale;
pub(crate) use section::Section;
