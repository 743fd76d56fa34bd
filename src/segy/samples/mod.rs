//! Samples: the formats of the standard as one table, their conversion to stored values and back, and statistics.

pub(crate) mod amplitudes;
pub mod dtype;
pub(crate) mod fixed_gain;
pub mod format;
pub mod ibm;
pub(crate) mod kernels;
pub mod moments;
pub(crate) mod number;
pub mod plain_runs;
pub mod recode;
pub mod restore;
pub mod rounding;
pub mod statistics;
pub(crate) mod words;
