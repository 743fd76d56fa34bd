//! The report of a file or a dataset: facts, checks, sections, spectra, maps, headers, on one page or as JSON.
//!
//! [`reading_plan`] says which traces are read, however large the file; [`source`] reads them from a SEG-Y file or a dataset;
//! [`looked_at`] puts together what they show, with [`trace_stats`], [`sections`], [`base_map`] and [`checks`]; [`page`] writes
//! the page. `inspect` says what the headers mean, and `picture` draws.

mod base_map;
mod checks;
pub(crate) mod chosen;
mod dataset_source;
mod header_values;
mod looked_at;
mod page;
mod reading_plan;
pub(crate) mod sections;
mod segy_source;
mod slices;
pub(crate) mod source;
mod trace_stats;
mod whole_pass;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed, unreadable};
use crate::dataset_files::{METADATA, TABLES};
use crate::plan::reading::Reading;
use crate::report::dataset_source::DatasetSource;
use crate::report::looked_at::{LookedAt, Wishes, look};
use crate::report::page::{Brief, page, page_of_several};
use crate::report::segy_source::SegySource;
use crate::report::source::Source;
use crate::store::{Place, check_address};

/// What to report on.
#[derive(Clone, Debug)]
pub struct ReportConfig {
    /// Files or datasets.
    pub inputs: Vec<PathBuf>,
    /// How to read SEG-Y files.
    pub reading: Reading,
    /// Go through the headers of all traces too.
    pub scan: bool,
    /// Show the slice at this time or depth.
    pub slice: Option<f64>,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page.
    Html,
    /// Its numbers.
    Json,
}

/// Makes the report. `on_traces` gets the number of traces read so far in each pass over all of them.
///
/// # Errors
/// `Error::Input` and others for a single input that cannot be reported on; with several, the errors are on the page.
pub fn report(
    config: &ReportConfig,
    form: Form,
    on_traces: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<String> {
    report_of_all(config, form, on_traces, cancel).map(|(text, _)| text)
}

/// Makes the report. Returns what is wrong with those of several inputs that it has no more of, too.
///
/// # Errors
/// As [`report`].
pub(crate) fn report_of_all(
    config: &ReportConfig,
    form: Form,
    on_traces: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<(String, Vec<Error>)> {
    if let [_] = config.inputs.as_slice() {
        let looked = look_at(config, 0, on_traces, cancel)?;
        let text = match form {
            Form::Html => page(&looked, &looked.about)?,
            Form::Json => json(&serde_json::to_value(&looked.numbers).map_err(failed("the report"))?)?,
        };
        return Ok((text, Vec::new()));
    }
    let (mut briefs, mut refused) = (Vec::new(), Vec::new());
    for i in 0..config.inputs.len() {
        match look_at(config, i, on_traces, cancel) {
            Ok(looked) => briefs.push(Brief::new(&looked, &looked.about)?),
            Err(cancelled @ Error::Cancelled { .. }) => return Err(cancelled),
            Err(error) => refused.push(error),
        }
    }
    let text = match form {
        Form::Html => page_of_several(&briefs, &refused.iter().map(Error::to_string).collect::<Vec<_>>()),
        Form::Json => json(&Value::Array(briefs.iter().map(|b| b.numbers().clone()).collect()))?,
    };
    Ok((text, refused))
}

/// Looks at one of the inputs.
fn look_at(
    config: &ReportConfig,
    index: usize,
    on_traces: &mut dyn FnMut(u64),
    cancel: &CancelHandle,
) -> Result<LookedAt> {
    let path = config.inputs.get(index).ok_or_else(|| Error::Usage("there is no input".into()))?;
    let wishes = Wishes { scan: config.scan, slice: config.slice };
    let mut source = open(path, &config.reading)?;
    look(&mut *source, path, &wishes, on_traces, cancel)
}

/// Opens a SEG-Y file or a dataset.
fn open(path: &Path, reading: &Reading) -> Result<Box<dyn Source>> {
    if is_dataset(path)? {
        return Ok(Box::new(DatasetSource::open(path)?));
    }
    Ok(Box::new(SegySource::open(path, reading)?))
}

/// Whether a path is a directory, or an object store's place, with the document of a dataset in it.
fn is_dataset(path: &Path) -> Result<bool> {
    check_address(path)?;
    let place = match Place::to_read(path) {
        Ok(place) => place,
        // A file, or nothing at all: reading it will tell.
        Err(_) => return Ok(false),
    };
    let is_there = |document: Place| {
        document.find().map(|found| found.is_some()).or_else(|e| match e.kind() {
            ErrorKind::NotADirectory | ErrorKind::NotFound => Ok(false),
            _ => Err(unreadable(path, &e)),
        })
    };
    // A grid has its document in a group of its own.
    Ok(is_there(place.join(METADATA))? || is_there(place.join(TABLES).join(METADATA))?)
}

fn json(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).map_err(failed("the report"))? + "\n")
}
