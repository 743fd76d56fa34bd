//! `segy-import inspect IN`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::visible::visible_lines;
use crate::cli::choices::whole_numbers;
use crate::cli::overrides::ReadingArgs;
use crate::cli::progress::{ReadingBar, print};
use crate::grid::options::GridKeys;
use crate::inspect::dataset_report::{self, DatasetReport, dataset_report, no_dataset};
use crate::inspect::{InspectConfig, Inspector, report};
use crate::store::place::is_absence;
use crate::store::{check_address, is_remote};

/// Describe a SEG-Y file, or a dataset: what it holds, decisions and their reasons, geometry, how to open it
///
/// Reads the file headers and 1,000 trace headers in runs spread over the file, or all of them with --scan. A file
/// that an import would refuse is refused with the same message.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InspectArgs {
    /// SEG-Y file to read, or a dataset
    #[arg(value_name = "IN|DATASET")]
    input: PathBuf,

    /// Read all trace headers
    #[arg(long)]
    scan: bool,

    /// Threads for --scan [default: one per core]
    #[arg(long, short = 'j', value_name = "N", requires = "scan", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Show all header fields and the first samples of this trace, counted from 1
    #[arg(long, value_name = "N", conflicts_with_all = ["scan", "find", "candidates"],
          value_parser = whole_numbers().range(1..))]
    trace: Option<u64>,

    /// Show which header bytes hold this number, in any type that can represent it
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, conflicts_with = "candidates")]
    find: Option<String>,

    /// Show which bytes look like inline, crossline, cdp, offset and coordinates
    #[arg(long)]
    candidates: bool,

    /// Show the grid that these keys make, or with "auto" the grid that an import would make; reads all trace headers once
    /// more. --scan always shows the latter
    #[arg(long, value_name = "KEY[,KEY...]|auto", conflicts_with_all = ["trace", "find", "candidates"])]
    grid: Option<GridKeys>,

    /// Print a JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    reading: ReadingArgs,
}

const EXAMPLES: &str = "\
Examples: segy-import inspect line_042.sgy
          segy-import inspect survey.zarr
          segy-import inspect line_042.sgy --candidates --scan
          segy-import inspect stack.sgy --grid inline,crossline
          segy-import inspect line_042.sgy --find 2315 --field inline=9:i32";

impl InspectArgs {
    pub(super) fn run(self) -> Result<()> {
        if self.input.as_os_str().is_empty() {
            return Err(Error::Usage("the input path is empty; give a SEG-Y file".into()));
        }
        if let Some(report) = self.of_dataset()? {
            return print(&shown(&report, self.json, dataset_report::text)?);
        }
        let mut config = InspectConfig::new(self.input);
        config.reading = self.reading.resolve()?;
        config.scan = self.scan;
        config.grid.clone_from(&self.grid);
        config.threads = self.threads.map(usize::from);
        let inspector = Inspector::open(config)?;
        let cancel = CancelHandle::new();
        // Only reading all headers takes long enough to poll for signals; otherwise a signal ends the process at once.
        if self.scan || self.grid.is_some() {
            cancel.listen_to_signals().map_err(failed("cannot listen to signals"))?;
        }
        let bar = ReadingBar::new(inspector.coverage().headers_read);
        let mut on_progress = |n| bar.set(n);

        let text = if let Some(trace) = self.trace {
            shown(&inspector.trace(trace)?, self.json, report::trace)?
        } else if let Some(value) = &self.find {
            let found = inspector.find(value, &mut on_progress, &cancel)?;
            shown(&found, self.json, |found| report::findings(value, found))?
        } else if self.candidates {
            shown(&inspector.candidates(&mut on_progress, &cancel)?, self.json, report::candidates)?
        } else {
            shown(&inspector.report(&mut on_progress, &cancel)?, self.json, report::report)?
        };
        drop(bar);
        print(&text)
    }
}

impl InspectArgs {
    /// The report of the input, if it is a dataset.
    fn of_dataset(&self) -> Result<Option<DatasetReport>> {
        check_address(&self.input)?;
        // Names of files in an object store cost no requests.
        let is_file = self
            .input
            .extension()
            .is_some_and(|e| ["sgy", "segy", "su"].iter().any(|known| e.eq_ignore_ascii_case(known)));
        if is_remote(&self.input) && is_file {
            return Ok(None);
        }
        let found = dataset_report(&self.input)?;
        if found.is_none() && !is_remote(&self.input) && is_directory(&self.input)? {
            return Err(no_dataset(&self.input));
        }
        let of_files = [
            ("--trace", self.trace.is_some()),
            ("--find", self.find.is_some()),
            ("--candidates", self.candidates),
            ("--scan", self.scan),
        ];
        match of_files.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) if found.is_some() => {
                Err(Error::Usage(format!("{option} looks at a SEG-Y file, and {} is a dataset", self.input.display())))
            }
            _ => Ok(found),
        }
    }
}

/// Whether a directory is there.
///
/// # Errors
/// If the system does not say.
fn is_directory(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(e) if is_absence(&e) => Ok(false),
        Err(e) => Err(failed(path.display())(e)),
    }
}

fn shown<T: Serialize>(found: &T, json: bool, text: impl Fn(&T) -> String) -> Result<String> {
    if json {
        return Ok(serde_json::to_string_pretty(found).map_err(failed("the report"))? + "\n");
    }
    Ok(visible_lines(&text(found)).into_owned())
}
