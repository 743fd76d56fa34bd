//! Samples: the formats of the standard as one table, their conversion to stored values and back, and what is counted of them.

pub mod format;
pub mod ibm;
pub mod plain_runs;
pub mod recode;
pub mod restore;
pub mod statistics;
