//! `segy-import report IN… -o PAGE`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed};
use crate::base::system::temporary_files;
use crate::cli::events::Failure;
use crate::cli::overrides::ReadingArgs;
use crate::cli::progress::{ReadingBar, print, say};
use crate::export::check_target;
use crate::report::{Form, ReportConfig, report_of_all};
use crate::store::new_directories::NewDirectories;
use crate::store::{check_address, is_remote};

/// Make a page with pictures of a SEG-Y file or a dataset: sections, checks, spectrum, map, headers
///
/// The page is a single HTML file. A large file is read at a few hundred places, which takes less than a second; the page
/// says how many. With several files it has a row for each, and a map of all.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReportArgs {
    /// SEG-Y files, or datasets
    #[arg(value_name = "IN", required = true)]
    inputs: Vec<PathBuf>,

    /// HTML file to write; - is standard output [default: report.html]
    #[arg(long, short, value_name = "PAGE", conflicts_with = "json")]
    output: Option<PathBuf>,

    /// Replace an existing page
    #[arg(long)]
    overwrite: bool,

    /// Go through the headers of all traces too, for the grid, the fold and the offsets
    #[arg(long)]
    scan: bool,

    /// Show the slice at this time or depth too, in ms, metres, feet or Hz; reads all traces
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    slice: Option<f64>,

    /// Print the numbers of the page as a JSON document instead
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    reading: ReadingArgs,
}

const EXAMPLES: &str = "\
Examples: segy-import report line_042.sgy -o line_042.html
          segy-import report lines/*.sgy -o lines.html
          segy-import report survey.sgy --scan --slice 1500 -o survey.html";

impl ReportArgs {
    pub(super) fn run(self) -> Result<(), Failure> {
        let output = self.output.unwrap_or_else(|| PathBuf::from("report.html"));
        let is_printed = self.json || output.as_os_str() == "-";
        if !is_printed {
            may_write(&output, self.overwrite)?;
        }
        let reading = self.reading.resolve()?;
        let config = ReportConfig { inputs: self.inputs, reading, scan: self.scan, slice: self.slice };
        let cancel = CancelHandle::new();
        if config.scan || config.slice.is_some() {
            cancel.listen_to_signals().map_err(failed("cannot listen to signals"))?;
        }
        let bar = ReadingBar::new(0);
        let form = if self.json { Form::Json } else { Form::Html };
        let (text, refused) = report_of_all(&config, form, &mut |n| bar.set(n), &cancel)?;
        drop(bar);
        refused.iter().for_each(|error| say(&format!("warning: {error}")));
        if is_printed {
            print(&text)?;
        } else {
            write_whole(&output, text.as_bytes(), self.overwrite)?;
        }
        match refused.iter().max_by_key(|error| error.exit_code()) {
            None => Ok(()),
            Some(worst) => {
                let what = format!("the report is without {} of its {} inputs", refused.len(), config.inputs.len());
                Err(Failure { is_printed, ..worst.of_the_same_kind(what).into() })
            }
        }
    }
}

/// Refuses to replace an existing file unless that is asked for, and anything but a file in any case.
///
/// # Errors
/// `Error::OutputInTheWay` if something is there that must not be replaced, `Error::Usage` for what is no path of a file.
pub(super) fn may_write(path: &Path, overwrite: bool) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::Usage("the output path is empty; give a file".into()));
    }
    check_address(path)?;
    if is_remote(path) {
        let what = "cannot be written in an object store; name a file on this computer";
        return Err(Error::Usage(format!("{}: {what}", path.display())));
    }
    check_target(path, overwrite)
}

/// Writes a file that appears whole or not at all, and makes the directories that it needs.
///
/// # Errors
/// `Error::Failed` if it cannot be written, `Error::OutputInTheWay` if something appeared there meanwhile.
pub(super) fn write_whole(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
    let cannot = || format!("{}: cannot be written to", path.display());
    // Those that nothing comes to lie in go away again.
    let _parents = NewDirectories::for_file(path)?;
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let created = temporary_files().prefix(".segy-import-").tempfile_in(directory);
    // The whole error has the temporary name.
    let mut file = created.map_err(|e| failed(cannot())(e.kind()))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed(cannot()))?;
    check_target(path, overwrite)?;
    file.persist(path).map(drop).map_err(|e| failed(cannot())(e.error))
}
