//! Samples on their way into a chunk: conversion and statistics.

use crate::base::error::{Error, Result};
use crate::segy::samples::format::Converter;
use crate::segy::samples::plain_runs::PlainKernel;
use crate::segy::samples::statistics::SampleStatistics;
use crate::segy::{Dtype, Layout};
use crate::zarr::ArrayPlan;

/// Converts runs of samples and keeps their statistics.
pub(crate) struct SampleConversion {
    pub(crate) converter: Converter,
    plain: Option<PlainKernel>,
    dtype: Dtype,
    pub(crate) statistics: SampleStatistics,
}

/// What was found in a run.
pub(crate) struct Seen {
    pub(crate) is_zero: bool,
    /// All its words are known to be restorable; otherwise that must be checked.
    pub(crate) is_plain: bool,
    /// The smallest and the largest, if they are float32 and all known to be finite.
    pub(crate) range: Option<[f32; 2]>,
}

impl SampleConversion {
    /// # Errors
    /// `Error::Usage` for a type that cannot hold the samples.
    pub(crate) fn new(layout: &Layout, array: &ArrayPlan) -> Result<Self> {
        let (format, order, dtype) = (layout.format(), layout.sample_byte_order(), array.dtype);
        let converter = Converter::new(format, order, dtype)
            .ok_or_else(|| Error::Usage(format!("the plan asks for {} samples", dtype.name())))?;
        let converter = converter.rounded(array.precision);
        let plain = if array.precision.is_none() { format.plain_kernel(order, dtype) } else { None };
        Ok(Self { converter, plain, dtype, statistics: SampleStatistics::default() })
    }

    /// Converts a run.
    ///
    /// # Panics
    /// If `samples` and `out` are not for the same number of samples.
    pub(crate) fn convert(&mut self, samples: &[u8], out: &mut [u8]) -> Seen {
        let plain = self.plain.filter(|_| samples.len() == out.len());
        if let Some(range) = plain.and_then(|convert| convert(samples, out)) {
            return Seen { is_zero: self.statistics.add_finite(range), is_plain: true, range: Some(range) };
        }
        self.converter.convert(samples, out);
        Seen { is_zero: self.statistics.add(self.dtype, out), is_plain: false, range: None }
    }
}
