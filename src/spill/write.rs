//! Writing the traces of a file to buckets, in one pass from its start to its end.

use std::io::{self, BufWriter, Write};

use indicatif::DecimalBytes;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::system::boot_id;
use crate::grid::Grid;
use crate::input::traces::{Inputs, Stretch, WINDOW_BYTES};
use crate::plan::Plan;
use crate::segy::{Access, ByteOrder};
use crate::spill::trace_order::BucketCut;
use crate::staging::{GridFiles, SpillPaths, Spilled};
use crate::store::files::{create_directories, remove};
use crate::store::sync::sync_tree;
use crate::store::{Place, Writer, finish_buffered};
use crate::worker::flags::FlagFinder;

/// Bytes gathered before they are written to a bucket, and all of them together, at most.
const BUFFER_BYTES: usize = 256 << 10;
const BUFFERS_BYTES: usize = 32 << 20;

/// Traces that are going to be spilled.
pub(crate) struct Spilling<'a> {
    pub(super) plan: &'a Plan,
    pub(super) grid: &'a Grid,
    pub(super) staging: &'a Place,
    pub(super) cut: BucketCut,
    /// Bytes that this takes.
    pub(super) takes: u64,
    pub(super) is_for_others: bool,
    pub(super) sync: bool,
}

impl Spilling<'_> {
    /// Says what is done.
    pub(crate) fn told(&self) -> String {
        let takes = DecimalBytes(self.takes);
        self.plan.about(&format!("spilling the traces to buckets first, which takes {takes} until the import is done"))
    }

    /// Spills them. `on_progress` gets the number of traces done.
    ///
    /// # Errors
    /// `Error::Failed` if writing fails, `Error::Input` if the input changed meanwhile. Nothing that counts is left.
    pub(crate) fn run(&self, cancel: &CancelHandle, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
        let paths = SpillPaths::new(self.staging);
        remove(&paths.directory)?;
        create_directories(&paths.directory)?;
        let result = self.write_all(&paths, cancel, on_progress);
        if result.is_err() {
            // It has no mark, so it counts for nothing; but the room may be needed.
            let _ = remove(&paths.directory);
        }
        result
    }

    fn write_all(&self, paths: &SpillPaths, cancel: &CancelHandle, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
        let inputs = self.plan.files.iter().map(|file| file.input.as_seen_here()).collect::<Result<Vec<_>>>()?;
        self.write(paths, cancel, on_progress)?;
        inputs.iter().try_for_each(|input| input.check_unchanged())?;
        let layout = self.plan.layout();
        let spilled = Spilled {
            ends: self.cut.ends.clone(),
            stride: layout.stride(),
            header_bytes: layout.header_bytes(),
            boot_id: if self.is_for_others { None } else { boot_id() },
        };
        // Where a start of the computer cannot be told from another, what was written before it counts too.
        let is_synced = self.sync && (self.is_for_others || spilled.boot_id.is_none());
        if is_synced {
            sync_tree(&paths.directory, cancel)?;
        }
        spilled.mark(self.staging)?;
        if is_synced { sync_tree(&paths.directory, cancel) } else { Ok(()) }
    }

    fn write(&self, paths: &SpillPaths, cancel: &CancelHandle, on_progress: &mut dyn FnMut(u64)) -> Result<()> {
        let (plan, stride) = (self.plan, self.plan.layout().stride());
        let mut inputs = Inputs::new(&plan.files, plan.io, Access::Traces);
        let mut outputs = Outputs::create(self, paths)?;
        let (mut next, mut buffer) = (0, Vec::new());
        while next < plan.n_traces() {
            cancel.check()?;
            let most = (WINDOW_BYTES / stride).max(1).min((plan.n_traces() - next) as usize);
            let window = inputs.stretch(next, most)?;
            let bytes = window.file.bytes(window.offset, window.n_traces * window.stride, &mut buffer)?;
            outputs.take(&window, bytes)?;
            window.file.release(window.offset, window.n_traces * window.stride);
            next = window.traces().end;
            on_progress(next);
        }
        outputs.finish()
    }
}

/// What is written.
struct Outputs<'a> {
    spilling: &'a Spilling<'a>,
    places: GridFiles<'a>,
    finder: FlagFinder<'a>,
    flags: Vec<u8>,
    headers: Output,
    buckets: Vec<Output>,
}

impl<'a> Outputs<'a> {
    fn create(spilling: &'a Spilling<'a>, paths: &SpillPaths) -> Result<Self> {
        let n_buckets = spilling.cut.ends.len();
        let create = |place: Place| {
            let room = BUFFER_BYTES.min(BUFFERS_BYTES / (n_buckets + 1));
            match Writer::create(&place) {
                Ok(file) => Ok(Output { place, file: BufWriter::with_capacity(room, file) }),
                Err(e) => Err(spilling.unwritten(&place, &e)),
            }
        };
        Ok(Self {
            spilling,
            places: GridFiles::open(spilling.grid, spilling.staging)?,
            finder: FlagFinder::of_plan(spilling.plan)?,
            flags: Vec::new(),
            headers: create(paths.headers.clone())?,
            buckets: (0..n_buckets).map(|number| create(paths.bucket(number))).collect::<Result<_>>()?,
        })
    }

    /// Takes traces in file order.
    fn take(&mut self, window: &Stretch, bytes: &[u8]) -> Result<()> {
        let (plan, n_axes) = (self.spilling.plan, self.spilling.grid.keys.len());
        self.flags.clear();
        if plan.headers.sample_flags {
            self.finder.of_read_window(window, bytes, &mut self.flags)?;
        } else {
            self.flags.resize(window.n_traces, 0);
        }
        let places = self.places.of(&window.traces(), ByteOrder::Little)?;
        let traces = window.traces().zip(bytes.chunks(window.stride));
        for (((number, trace), flags), place) in traces.zip(&self.flags).zip(places.chunks_exact(4 * n_axes)) {
            let header = &trace[..plan.layout().header_bytes()];
            self.headers.put(header, &[*flags]).map_err(|e| self.spilling.unwritten(&self.headers.place, &e))?;
            if let Some(bucket) = self.spilling.cut.bucket_of(place).and_then(|bucket| self.buckets.get_mut(bucket)) {
                bucket.put(trace, &number.to_le_bytes()).map_err(|e| self.spilling.unwritten(&bucket.place, &e))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        [self.headers]
            .into_iter()
            .chain(self.buckets)
            .try_for_each(|output| finish_buffered(output.file).map_err(|e| self.spilling.unwritten(&output.place, &e)))
    }
}

impl Spilling<'_> {
    /// The error for a file that cannot be written.
    fn unwritten(&self, place: &Place, cause: &io::Error) -> Error {
        let hint = match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("; spilling the traces needs {} of room, and --spill never none", DecimalBytes(self.takes))
            }
            _ => String::new(),
        };
        Error::Failed(format!("{}: {cause}{hint}", place.display()))
    }
}

/// A file of records.
struct Output {
    place: Place,
    file: BufWriter<Writer>,
}

impl Output {
    fn put(&mut self, bytes: &[u8], mark: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.write_all(mark)
    }
}
