//! The possible values of options, for types that know nothing of the command line.

use clap::ValueEnum;
use clap::builder::{PossibleValue, RangedI64ValueParser};

use crate::generate::SurveyKind;
use crate::grid::HeaderType;
use crate::grid::options::{AxesOrder, Duplicates, Spill};
use crate::plan::import_config::DtypeChoice;
use crate::segy::layout::InputFormat;
use crate::segy::text::TextEncoding;
use crate::segy::{ByteOrder, Domain, Io, Ragged};
use crate::zarr::{AxisOrder, ReadPattern};

/// Whole numbers, read with a sign: a negative one is out of range, and not "an invalid digit".
pub(super) fn whole_numbers() -> RangedI64ValueParser<u64> {
    RangedI64ValueParser::new()
}

/// The values of each type: as the user writes them, and what `--help` says.
macro_rules! choices {
    ($($type:ident { $($value:ident = $name:literal $(: $help:literal)?,)* })*) => {$(
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$value),*]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$value => PossibleValue::new($name)$(.help($help))?,)*
                })
            }
        }
    )*};
}

choices! {
    AxesOrder {
        Ascending = "ascending": "Keys as given, values ascending",
        File = "file": "The key that changes least first, values in the direction of the file, so that MDIO exports them like that",
    }
    Duplicates {
        Refuse = "refuse": "The import is refused, and the first ones named",
        Aside = "aside": "The first trace of the file has the place; later ones are in a group of their own, aside/",
    }
    Spill {
        Auto = "auto": "If the file is unsorted and larger than the available memory, and there is room",
        Always = "always": "Wherever it is possible: not for traces of varying length, nor in object stores",
        Never = "never": "Traces are read one by one",
    }
    HeaderType {
        Structured = "structured": "As zarr-python 3.1 and later, MDIO and tensorstore read it",
        Struct = "struct": "As mdio-cpp needs it; zarr-python before 3.2 then refuses the whole dataset",
    }
    AxisOrder {
        SampleTrace = "sample-trace": "(sample, trace): `z[:, i:j]` is a gather. Chunks are stored trace after trace in either case",
        TraceSample = "trace-sample": "(trace, sample): `z[i:j]` is a gather",
    }
    ByteOrder {
        Big = "big",
        Little = "little",
    }
    Domain {
        Time = "time",
        Depth = "depth",
        Frequency = "frequency",
    }
    DtypeChoice {
        Native = "native": "The type that holds every value exactly",
        Float32 = "float32": "float32, rounding every sample to the nearest",
    }
    InputFormat {
        Segy = "segy": "SEG-Y, all revisions",
        Su = "su": "Seismic Unix: traces without a file header",
        Passcal = "passcal": "PASSCAL (IRIS): traces without a file header, integer samples",
    }
    Io {
        Auto = "auto": "Memory map for single headers, positioned reads for whole traces",
        Mmap = "mmap": "Memory map for everything. If the file shrinks meanwhile, the worker is killed",
        Pread = "pread": "Positioned reads for everything: for network file systems",
    }
    Ragged {
        Refuse = "refuse": "It is refused, and the first odd trace named",
        Pad = "pad": "Shorter traces are padded with the fill value; the column `n_samples` says how many samples each trace has",
    }
    ReadPattern {
        Gathers = "gathers": "Whole traces: a chunk has all samples of its traces",
        Slices = "slices": "A few samples of many traces: chunks of 32 samples of 8192 float32 traces",
        Balanced = "balanced": "Both: chunks of up to 256 samples of about 1000 float32 traces",
    }
    SurveyKind {
        Poststack = "poststack": "A stacked 3-D volume: inline by crossline, crossline fastest, one trace per CDP",
        Prestack = "prestack": "CDP gathers of varying fold, with offsets and normal moveout",
        Shots = "shots": "Shot gathers of varying channel count, with first breaks, mutes and some dead traces",
    }
}

impl ValueEnum for TextEncoding {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.option()).help(self.name());
        Some(if *self == Self::Ebcdic { value.alias("cp037") } else { value })
    }
}
