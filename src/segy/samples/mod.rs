//! Samples: the formats of the standard as one table, their conversion to stored values and back, and statistics.

pub(crate) mod amplitudes;
pub(crate) mod dtype;
pub(crate) mod fixed_gain;
pub(crate) mod format;
pub(crate) mod ibm;
pub(crate) mod kernels;
pub(crate) mod moments;
pub(crate) mod number;
pub(crate) mod plain_runs;
pub(crate) mod recode;
pub(crate) mod restore;
pub(crate) mod rounding;
pub(crate) mod statistics;
pub(crate) mod words;
