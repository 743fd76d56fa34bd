//! What the caller of an import asks for.

use std::path::PathBuf;
use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::base::parallel::n_threads;
use crate::grid::options::GridOptions;
use crate::plan::mapping::HeaderOptions;
use crate::plan::{MergeOptions, Plan};
use crate::segy::Io;
use crate::segy::layout::Overrides;
use crate::selection::Selection;
use crate::zarr::{AxisOrder, Codec, ReadPattern};

/// Default for how many headers a split may move back to find the start of its gather.
pub(crate) const DEFAULT_MAX_PROBE: u64 = 10_000;

/// What makes a gather.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gather {
    /// What the headers of a few traces show, as `inspect` says it.
    #[default]
    Auto,
    /// Runs of equal values of these header fields.
    Keys(Vec<String>),
    /// No gathers: the file is split evenly.
    None,
}

impl FromStr for Gather {
    type Err = Error;

    /// `auto`, `cdp`, `field_record,cdp`, `none`.
    fn from_str(s: &str) -> Result<Self> {
        let keys: Vec<String> = s.split(',').map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()).collect();
        match keys.as_slice() {
            [] => Err(Error::Usage("--gather needs the name of a header field, auto, or none".into())),
            [only] if only.eq_ignore_ascii_case("none") => Ok(Self::None),
            [only] if only.eq_ignore_ascii_case("auto") => Ok(Self::Auto),
            several if several.iter().any(|k| ["none", "auto"].iter().any(|word| k.eq_ignore_ascii_case(word))) => {
                Err(Error::Usage("--gather auto and --gather none stand alone".into()))
            }
            _ => Ok(Self::Keys(keys)),
        }
    }
}

/// Which header columns the Zarr group has as coordinates of the traces in file order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Coords {
    /// The gather keys, and the usual fields that tell where and when a trace is, where they vary.
    #[default]
    Auto,
    /// These columns.
    Fields(Vec<String>),
    /// None: they are in the header table only.
    None,
}

impl FromStr for Coords {
    type Err = Error;

    /// `auto`, `cdp,offset`, `none`.
    fn from_str(s: &str) -> Result<Self> {
        let names: Vec<String> = s.split(',').map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()).collect();
        match names.as_slice() {
            [] => Err(Error::Usage("--coords needs names of header columns, auto, or none".into())),
            [only] if only.eq_ignore_ascii_case("none") => Ok(Self::None),
            [only] if only.eq_ignore_ascii_case("auto") => Ok(Self::Auto),
            _ => Ok(Self::Fields(names)),
        }
    }
}

/// Data type of the samples in the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtypeChoice {
    /// The type that holds every value exactly.
    #[default]
    Native,
    /// float32, rounding every sample to the nearest.
    Float32,
}

/// The import the caller wants. `ImportConfig::new` has the defaults of `segy-import IN OUT`.
#[derive(Clone, Debug)]
pub struct ImportConfig {
    /// Files to combine into one dataset, in trace order.
    pub inputs: Vec<PathBuf>,
    /// Directory for the dataset.
    pub output: PathBuf,
    /// Most worker processes at the same time; by default one per core.
    pub workers: Option<usize>,
    /// Number of segments; by default as many as workers, or more for large files.
    pub segments: Option<u32>,
    /// What makes a gather.
    pub gather: Gather,
    /// Most trace headers to look back for the start of a gather.
    pub max_probe: u64,
    /// Which traces and samples to import, if not all.
    pub selection: Selection,
    /// Header field positions that override the standard.
    pub headers: HeaderOptions,
    /// Keep the header bytes in the column `raw_header`.
    pub raw_header: bool,
    /// Make the header table a directory of files, one for each row group.
    pub header_parts: bool,
    /// Leave out the samples.
    pub headers_only: bool,
    /// Coordinates of traces in file order.
    pub coords: Coords,
    /// Name of the array of the samples; by default `traces.zarr`, and `amplitude` in a grid.
    pub variable: Option<String>,
    /// Make a grid of the traces instead of one array in file order.
    pub grid: Option<GridOptions>,
    /// Which reads the chunks are made for.
    pub reads: ReadPattern,
    /// Samples per chunk, whatever `reads` says.
    pub chunk_samples: Option<u64>,
    /// Traces per chunk; by default as many as make 8 MiB, at most 1000, or 1 MiB where traces are cut.
    pub chunk_traces: Option<u64>,
    /// Round samples so that the error stays this many decibels below their RMS.
    pub precision: Option<u32>,
    /// Compressor for the chunks.
    pub codec: Codec,
    /// Order of the declared axes.
    pub order: AxisOrder,
    /// Data type of the stored samples.
    pub dtype: DtypeChoice,
    /// Chunks per shard.
    pub shard_chunks: Option<u64>,
    /// How to read the input.
    pub io: Io,
    /// What the user says about the files, overriding their headers.
    pub overrides: Overrides,
    /// Replace an existing dataset, once the new one is complete.
    pub overwrite: bool,
    /// Compare the dataset with the input, byte by byte, before it becomes visible.
    pub verify: bool,
    /// Sync the dataset to disk before it becomes visible, so that it survives a power failure.
    pub sync: bool,
    /// Start over, even if an interrupted run left finished segments.
    pub fresh: bool,
    /// Files of at most this many traces and bytes are converted in this process.
    pub parallel_threshold: (u64, u64),
    /// With at least this many traces, the header tables of finished segments are joined while others are still converted,
    /// which needs the disk space earlier.
    pub early_table_traces: u64,
    /// The program with the `worker` subcommand. Without one, threads of this process convert the segments.
    pub worker_program: Option<PathBuf>,
}

impl ImportConfig {
    /// The configuration for `segy-import IN OUT`.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            inputs: vec![input.into()],
            output: output.into(),
            workers: None,
            segments: None,
            gather: Gather::default(),
            max_probe: DEFAULT_MAX_PROBE,
            selection: Selection::default(),
            headers: HeaderOptions::default(),
            raw_header: true,
            header_parts: false,
            headers_only: false,
            reads: ReadPattern::default(),
            chunk_samples: None,
            coords: Coords::default(),
            variable: None,
            grid: None,
            chunk_traces: None,
            precision: None,
            codec: Codec::default(),
            order: AxisOrder::default(),
            dtype: DtypeChoice::default(),
            shard_chunks: None,
            io: Io::default(),
            overrides: Overrides::default(),
            overwrite: false,
            verify: false,
            sync: true,
            fresh: false,
            parallel_threshold: (100_000, 256 << 20),
            early_table_traces: 1_000_000,
            worker_program: None,
        }
    }

    /// Most worker processes at the same time: as requested, or one per core available to this process.
    pub(crate) fn n_workers(&self) -> usize {
        self.workers.unwrap_or_else(n_threads).max(1)
    }

    /// How to finish once all segments are done.
    pub(crate) fn merge_options(&self) -> MergeOptions {
        MergeOptions { overwrite: self.overwrite, verify: self.verify, sync: self.sync }
    }

    /// Whether the file is small enough to convert in this process.
    pub(crate) fn is_small(&self, plan: &Plan) -> bool {
        let (traces, bytes) = self.parallel_threshold;
        plan.n_traces() <= traces && plan.bytes_taken() <= bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateConfig, generate};

    #[test]
    fn the_words_for_gathers_stand_alone() {
        let keys = |names: &[&str]| Ok(Gather::Keys(names.iter().map(|&name| name.to_owned()).collect()));
        for (text, gather) in [
            ("auto", Ok(Gather::Auto)),
            (" AUTO,", Ok(Gather::Auto)),
            ("None", Ok(Gather::None)),
            ("cdp", keys(&["cdp"])),
            (" field_record ,, cdp", keys(&["field_record", "cdp"])),
            ("autonomous,nonesuch", keys(&["autonomous", "nonesuch"])),
        ] {
            assert_eq!(text.parse::<Gather>(), gather, "{text}");
        }
        for text in ["", " , ", "cdp,none", "Auto,cdp", "auto,none"] {
            assert!(matches!(text.parse::<Gather>(), Err(Error::Usage(_))), "{text}");
        }
    }

    #[test]
    fn a_file_is_small_up_to_the_threshold_of_traces_and_of_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("in.sgy");
        let survey = GenerateConfig { n_traces: 12, n_samples: 5, ..GenerateConfig::default() };
        generate(&survey, &input, &mut |_, _| {}, &crate::CancelHandle::new()).unwrap();
        let mut config = ImportConfig::new(&input, directory.path().join("out"));
        let (plan, n_bytes) = (config.plan().unwrap(), 3600 + 12 * 260);
        let mut is_small = |traces, bytes| {
            config.parallel_threshold = (traces, bytes);
            (config.is_small(&plan), config.plan().unwrap().segments.len() == 1)
        };
        assert_eq!(is_small(12, n_bytes), (true, true));
        assert!(!is_small(11, n_bytes).0 && !is_small(12, n_bytes - 1).0 && !is_small(11, n_bytes - 1).0);
    }
}
