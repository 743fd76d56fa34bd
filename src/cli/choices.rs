//! What options with a few possible values can be: the values of types that know nothing of the command line.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::generate::SurveyKind;
use crate::plan::import_config::DtypeChoice;
use crate::segy::layout::InputFormat;
use crate::segy::text::TextEncoding;
use crate::segy::{ByteOrder, Domain, Io, Ragged};
use crate::zarr::AxisOrder;

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
    AxisOrder {
        SampleTrace = "sample-trace": "(sample, trace): `z[:, i:j]` is a gather. Chunks are stored trace after trace all the same",
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
