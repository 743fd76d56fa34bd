//! Writing the file again that a dataset was made from, byte for byte, or a part of its traces.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::cancel::CancelHandle;
use crate::dataset::units::{Shared, for_each_unit};
use crate::dataset::{Dataset, Original, Part, Sources, fit_around};
use crate::durable::sync_parent;
use crate::error::{Error, Result, failed};

/// An export as the caller wants it.
#[derive(Clone, Debug)]
pub struct ExportConfig {
    /// Directory of the dataset.
    pub dataset: PathBuf,
    /// The file to write.
    pub target: PathBuf,
    /// The traces to write. For all of them the file is the one that was imported; else a trace count in the binary header
    /// is set, and bytes behind the traces that it does not declare are left out.
    pub part: Part,
    /// Replace a file that is there, once the new one is complete.
    pub overwrite: bool,
    /// Bring the file to the disk before it gets its name, so that it outlasts a power failure.
    pub sync: bool,
}

/// A completed export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportResult {
    pub n_traces: u64,
    /// Length of the file.
    pub bytes: u64,
}

/// Writes the file. `on_progress` hears the traces done so far and the number of all.
///
/// The target appears by rename when it is complete; an export that fails or is cancelled leaves nothing.
///
/// # Errors
/// `Error::Usage` for a dataset that was imported without a part of the file, `Error::Input` where there is none,
/// `Error::OutputInTheWay` for a target that is there, `Error::Failed` for a damaged dataset or where writing fails.
pub fn export(
    config: &ExportConfig,
    on_progress: &mut dyn FnMut(u64, u64),
    cancel: &CancelHandle,
) -> Result<ExportResult> {
    check_target(&config.target, config.overwrite)?;
    let dataset = Dataset::open(&config.dataset)?;
    let traces = config.part.traces(&dataset)?;
    let n_after = check_bytes_around_traces(&dataset)?;
    let sources = Sources::open(&dataset)?;
    let n_traces = traces.end - traces.start;
    let changed = (n_traces != dataset.array.n_traces).then(|| fit_around(n_traces, &dataset)).transpose()?;
    let range = dataset.trace_offset(traces.start)..dataset.trace_offset(traces.end);
    let behind = dataset.first_trace_offset + (range.end - range.start);
    let bytes = behind + if changed.as_ref().is_none_or(|c| c.keeps_after) { n_after } else { 0 };

    let target = UnfinishedFile::create(&config.target, bytes)?;
    dataset.bytes_before_traces.pieces(&mut |offset, bytes| target.write_at(offset, bytes))?;
    match &changed {
        None => dataset.bytes_after_traces.pieces(&mut |offset, bytes| target.write_at(behind + offset, bytes))?,
        Some(around) => {
            target.write_at(0, &around.head)?;
            if around.keeps_after {
                dataset.bytes_after_traces.pieces(&mut |offset, bytes| target.write_at(behind + offset, bytes))?;
            }
        }
    }
    let units = sources.units_of(&traces);
    let write_unit = |original: &mut Original, unit, shared: &Shared| {
        let mut sink = |offset: u64, bytes: &[u8]| {
            // A unit may reach beyond the part at either end.
            let (start, end) = (offset.max(range.start), (offset + bytes.len() as u64).min(range.end));
            if start >= end {
                return Ok(());
            }
            let inside = &bytes[(start - offset) as usize..(end - offset) as usize];
            target.write_at(dataset.first_trace_offset + (start - range.start), inside)
        };
        original.traces_of_unit(units.start + unit, shared.cancel, &mut sink, &|traces| shared.add(traces))
    };
    let mut tell = |traces: u64| on_progress(traces.min(n_traces), n_traces);
    for_each_unit(units.end - units.start, cancel, &mut tell, || Original::new(&sources), write_unit)?;
    cancel.check()?;
    target.complete(config)?;
    Ok(ExportResult { n_traces, bytes })
}

/// Refuses a dataset without the bytes in front of the traces or behind them. Returns the number of the latter.
fn check_bytes_around_traces(dataset: &Dataset) -> Result<u64> {
    let missing = match (dataset.bytes_before_traces.len(), dataset.bytes_after_traces.len()) {
        (Some(_), Some(n_after)) => return Ok(n_after),
        (None, _) => "in front of",
        (_, None) => "behind",
    };
    Err(Error::Usage(format!(
        "{}: an earlier version of this program left out the bytes {missing} the traces, so the file cannot be written \
         again; import it again",
        dataset.root.display()
    )))
}

fn check_target(target: &Path, overwrite: bool) -> Result<()> {
    let path = target.display();
    match fs::symlink_metadata(target) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::Failed(format!("{path}: {e}"))),
        Ok(metadata) if !metadata.is_file() => {
            Err(Error::OutputInTheWay(format!("{path}: is there already and is no regular file; name another")))
        }
        Ok(_) if !overwrite => Err(Error::OutputInTheWay(format!("{path}: is there already; --overwrite replaces it"))),
        Ok(_) => Ok(()),
    }
}

/// A file that is being written beside its place; it vanishes unless it is completed.
struct UnfinishedFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    is_complete: bool,
}

impl UnfinishedFile {
    /// Makes room for `bytes` bytes. What a killed export of the same name left is taken over.
    fn create(target: &Path, bytes: u64) -> Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(Error::Usage(format!("{}: is no name for a file", target.display())));
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".segy-import");
        let path = target.with_file_name(hidden);
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|e| Error::Failed(format!("{}: cannot be written to: {e}", target.display())))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::OutputInTheWay(format!("{}: another export is writing it", target.display())));
            }
            Err(TryLockError::Error(e)) => {
                return Err(Error::Failed(format!("{}: cannot be locked: {e}", path.display())));
            }
        }
        let unfinished = Self { file, path, target: target.to_owned(), is_complete: false };
        unfinished.file.set_len(0).map_err(failed(target.display()))?;
        unfinished.reserve(bytes)?;
        unfinished.file.set_len(bytes).map_err(failed(target.display()))?;
        Ok(unfinished)
    }

    /// Asks for the space at once, so that a full disk is found before the work and not in its midst.
    fn reserve(&self, bytes: u64) -> Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            use rustix::io::Errno;
            // Where the file system cannot do it, writing will find out.
            if let Err(e @ (Errno::NOSPC | Errno::FBIG | Errno::DQUOT)) =
                fallocate(&self.file, FallocateFlags::empty(), 0, bytes)
            {
                let path = self.target.display();
                return Err(Error::Failed(format!("{path}: there is no room for its {bytes} bytes: {e}")));
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(failed(self.target.display()))
    }

    /// Gives the file its name. One that appeared meanwhile is replaced only if that was asked for.
    fn complete(mut self, config: &ExportConfig) -> Result<()> {
        if config.sync {
            self.file
                .sync_all()
                .map_err(failed(format!("{}: cannot be brought to the disk", self.target.display())))?;
        }
        check_target(&self.target, config.overwrite)?;
        fs::rename(&self.path, &self.target).map_err(failed(self.target.display()))?;
        self.is_complete = true;
        if config.sync { sync_parent(&self.target) } else { Ok(()) }
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.is_complete {
            // Whoever sees the error that led here is told that; a file that cannot be removed has the name of no other.
            let _ = fs::remove_file(&self.path);
        }
    }
}
