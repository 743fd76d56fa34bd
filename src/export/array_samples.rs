//! Samples from another array in place of the dataset's: which traces and samples it has, by its dimensions
//! and their coordinates, and writing them.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result};
use crate::base::parallel::{Shared, for_each};
use crate::dataset::{Crop, Dataset, HeaderColumns, OriginalFile, TraceSet};
use crate::export::output_file::Unfinished;
use crate::export::place_map::{Dimension, PlaceMap, Positions, axis_values};
use crate::export::sample_encoder::SampleEncoder;
use crate::grid::{Grid, TRACE};
use crate::other_arrays::{Block, Coordinate, OtherArray, SAMPLE_DIMENSIONS, blocks};
use crate::segy::fields::TRACE_FIELDS;
use crate::zarr::AxisOrder;

/// The column with the number of a trace in the dataset.
const TRACE_INDEX: &str = "trace_index";
/// Bytes of all blocks that are held at a time.
const MOST_BYTES: u64 = 1 << 30;

/// The samples of an array, and the traces that they belong to.
pub(super) struct ArraySamples {
    pub array: OtherArray,
    /// The samples of the dataset that it has.
    pub samples: Range<u64>,
    /// The traces that it has.
    pub traces: TraceSet,
    places: PlaceMap,
    /// The number of the dimension of the samples.
    along: usize,
}

impl ArraySamples {
    /// Opens the array for one file of a dataset.
    ///
    /// # Errors
    /// `Error::Input` for an array that does not belong to the dataset.
    pub(super) fn open(path: &Path, dataset: &Dataset, file: &OriginalFile) -> Result<Self> {
        let array = OtherArray::open(path)?;
        let fits = Fit { dataset, array: &array };
        let names = fits.dimension_names()?;
        let along = fits.samples_among(&names)?;
        let samples = fits.samples(&names, along)?;
        let mut dimensions = Vec::new();
        for (i, name) in names.iter().enumerate().filter(|(i, _)| *i != along) {
            dimensions.push(fits.dimension(name, array.shape[i])?);
        }
        dimensions.extend(fits.single(&dimensions)?);
        let (places, traces) = PlaceMap::new(dataset, &file.traces, &dimensions, &path.display().to_string())?;
        Ok(Self { samples, traces, places, along, array })
    }

    /// Writes the wanted samples of all traces. Returns at how many places without a trace there were samples, which are
    /// written nowhere.
    ///
    /// Memory: a block for each thread.
    pub(super) fn write(
        &self,
        crop: &Crop,
        encoder: &SampleEncoder,
        target: &Unfinished,
        on_progress: &mut dyn FnMut(u64),
        cancel: &CancelHandle,
    ) -> Result<u64> {
        let block_bytes = self.array.block.iter().product::<u64>() * self.array.dtype.size() as u64;
        let n_threads = target.n_threads().min((MOST_BYTES / block_bytes.max(1)).max(1) as usize);
        let n_homeless = AtomicU64::new(0);
        let write = |encoder: &mut SampleEncoder, ranges: Vec<Range<u64>>, shared: &Shared| {
            let n = self.write_block(&ranges, crop, encoder, target, shared)?;
            n_homeless.fetch_add(n, Ordering::Relaxed);
            Ok(())
        };
        let all = blocks(&self.array.shape, &self.array.block);
        for_each(n_threads, all, cancel, on_progress, || Ok(encoder.clone()), write)?;
        Ok(n_homeless.into_inner())
    }

    fn write_block(
        &self,
        ranges: &[Range<u64>],
        crop: &Crop,
        encoder: &mut SampleEncoder,
        target: &Unfinished,
        shared: &Shared,
    ) -> Result<u64> {
        let Some(own) = ranges.get(self.along) else { return Ok(0) };
        let first = self.samples.start + own.start;
        let samples = first.max(crop.samples.start)..(self.samples.start + own.end).min(crop.samples.end);
        let traces = self.traces_of(ranges)?;
        let is_wanted = |trace: &Option<u64>| trace.is_none_or(|trace| crop.traces.contains(trace));
        if samples.is_empty() || !traces.iter().any(is_wanted) {
            return Ok(0);
        }
        let block = self.array.read(ranges)?;
        let (mut values, mut out, mut n_homeless, mut n_done) = (Vec::new(), Vec::new(), 0, 0);
        for (trace, start) in traces.into_iter().zip(self.starts(ranges, &block)) {
            if !is_wanted(&trace) {
                continue;
            }
            self.take(&block, start, (samples.start - first) as usize..(samples.end - first) as usize, &mut values);
            let Some(trace) = trace else {
                n_homeless += u64::from(encoder.has_samples(&values));
                continue;
            };
            out.clear();
            encoder.encode(trace, samples.start, &values, &mut out)?;
            target.write_at(crop.offset_of_sample(trace, samples.start), &out)?;
            n_done += 1;
        }
        // Each trace counts once.
        let is_first = samples.start == crop.samples.start;
        shared.add(if is_first { n_done } else { 0 });
        Ok(if is_first { n_homeless } else { 0 })
    }

    /// The traces at the places of a block, in the order of [`Self::starts`].
    fn traces_of(&self, ranges: &[Range<u64>]) -> Result<Vec<Option<u64>>> {
        let of_places = |i: &usize| *i != self.along;
        let axes: Vec<usize> = (0..ranges.len()).filter(of_places).collect();
        let Some((last, others)) = axes.split_last() else { return self.places.traces(&(0..1)) };
        let mut rows = vec![0];
        for &axis in others {
            let length = self.array.shape[axis];
            let of_row = |row: &u64| {
                let row = *row;
                ranges[axis].clone().map(move |i| row * length + i)
            };
            rows = rows.iter().flat_map(of_row).collect();
        }
        let (range, length) = (&ranges[*last], self.array.shape[*last]);
        let mut traces = Vec::new();
        for row in rows {
            traces.extend(self.places.traces(&(row * length + range.start..row * length + range.end))?);
        }
        Ok(traces)
    }

    /// Where the samples of each place begin in a block.
    fn starts(&self, ranges: &[Range<u64>], block: &Block) -> Vec<usize> {
        let mut starts = vec![0];
        for (i, range) in ranges.iter().enumerate().filter(|(i, _)| *i != self.along) {
            let (n, stride) = ((range.end - range.start) as usize, block.strides[i]);
            let of_start = |start: &usize| {
                let start = *start;
                (0..n).map(move |at| start + at * stride)
            };
            starts = starts.iter().flat_map(of_start).collect();
        }
        starts
    }

    /// Takes the samples of one place out of a block.
    fn take(&self, block: &Block, start: usize, samples: Range<usize>, out: &mut Vec<u8>) {
        let (size, stride) = (self.array.dtype.size(), block.strides.get(self.along).copied().unwrap_or(1));
        out.clear();
        if stride == 1 {
            out.extend_from_slice(&block.bytes[(start + samples.start) * size..(start + samples.end) * size]);
            return;
        }
        match size {
            1 => gather::<1>(&block.bytes, start, stride, samples, out),
            2 => gather::<2>(&block.bytes, start, stride, samples, out),
            4 => gather::<4>(&block.bytes, start, stride, samples, out),
            _ => gather::<8>(&block.bytes, start, stride, samples, out),
        }
    }
}

/// Takes values of `N` bytes that lie `stride` values apart.
fn gather<const N: usize>(bytes: &[u8], start: usize, stride: usize, samples: Range<usize>, out: &mut Vec<u8>) {
    let values: &[[u8; N]] = bytes.as_chunks().0;
    let n = samples.len();
    let first = (start + samples.start * stride).min(values.len());
    out.resize(n * N, 0);
    for (place, value) in out.as_chunks_mut::<N>().0.iter_mut().zip(values[first..].iter().step_by(stride)) {
        *place = *value;
    }
}

/// How an array belongs to a dataset.
struct Fit<'a> {
    dataset: &'a Dataset,
    array: &'a OtherArray,
}

impl Fit<'_> {
    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::Input(format!("{}: {what}", self.array.path.display()))
    }

    /// The names of the dimensions; without names it has to have the shape of the dataset's own array.
    fn dimension_names(&self) -> Result<Vec<String>> {
        if let Some(names) = &self.array.dimensions {
            return Ok(names.clone());
        }
        let (names, shape) = self.own_dimensions();
        if shape == self.array.shape {
            return Ok(names);
        }
        Err(self.wrong(format!(
            "has the shape {:?}, and the samples of the dataset have {shape:?} ({}); an array of another shape has to name \
             its dimensions, as xarray writes it to Zarr",
            self.array.shape,
            names.join(", ")
        )))
    }

    /// Names and lengths of the dimensions of the dataset's samples.
    fn own_dimensions(&self) -> (Vec<String>, Vec<u64>) {
        let array = &self.dataset.array;
        let own: Vec<(String, u64)> = match &self.dataset.grid {
            Some(grid) => {
                let keys = grid.keys.iter().map(|key| (key.name.clone(), key.n()));
                keys.chain([(grid.vertical.clone(), array.n_samples)]).collect()
            }
            None => {
                let mut own = vec![("sample".to_owned(), array.n_samples), (TRACE.to_owned(), array.n_traces)];
                if array.order == AxisOrder::TraceSample {
                    own.reverse();
                }
                own
            }
        };
        own.into_iter().unzip()
    }

    /// The number of the dimension of the samples.
    fn samples_among(&self, names: &[String]) -> Result<usize> {
        let vertical = self.dataset.grid.as_ref().map(|grid| grid.vertical.as_str());
        let is_of_samples = |name: &str| {
            Some(name) == vertical || SAMPLE_DIMENSIONS.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        let found: Vec<usize> = (0..names.len()).filter(|&i| is_of_samples(&names[i])).collect();
        match found[..] {
            [along] => Ok(along),
            [] => Err(self.wrong(format!(
                "none of its dimensions ({}) is that of the samples: call it {}",
                names.join(", "),
                vertical.unwrap_or("sample, time or depth")
            ))),
            _ => Err(self.wrong(format!("several of its dimensions are called like samples: {}", names.join(", ")))),
        }
    }

    /// The samples that it has, by the coordinate of their dimension if there is one.
    fn samples(&self, names: &[String], along: usize) -> Result<Range<u64>> {
        let (name, length) = (&names[along], self.array.shape[along]);
        let (axis, n) = (&self.dataset.sample_axis, self.dataset.array.n_samples);
        let Some(values) = self.values(name, length)? else {
            return match length == n {
                true => Ok(0..n),
                false => Err(self.wrong(format!(
                    "has {length} samples, and the dataset {n}; a part needs the array {name} beside it, which says which \
                     ones"
                ))),
            };
        };
        let step = axis.interval.unwrap_or(1.0);
        let first = values.first().map_or(0.0, |value| ((value - axis.value(0)) / step).round().max(0.0)) as u64;
        let is_off = |(i, value): &(u64, f64)| *i >= n || (axis.value(*i) - value).abs() > step * 1e-2;
        match (first..).zip(values).find(is_off) {
            None if length > 0 => Ok(first..first + length),
            None => Err(self.wrong("has no samples")),
            Some((i, value)) => Err(self.wrong(format!(
                "its {name} {value} is not where the dataset has it: the samples have to be consecutive ones of those from {} \
                 to {} in steps of {step}{}",
                axis.value(0),
                axis.value(n.saturating_sub(1)),
                if i < n { format!("; expected here is {}", axis.value(i)) } else { String::new() }
            ))),
        }
    }

    /// The values of a dimension from the array of its name, if there is one.
    fn values(&self, name: &str, length: u64) -> Result<Option<Vec<f64>>> {
        let Some(Coordinate { path, shape, values }) = self.array.coordinate(name)? else { return Ok(None) };
        if shape == [length] {
            return Ok(Some(values));
        }
        Err(Error::Input(format!(
            "{}: has the shape {shape:?}, and the dimension {name} {length} values",
            path.display()
        )))
    }

    /// Where the traces lie along a dimension.
    fn dimension(&self, name: &str, length: u64) -> Result<Dimension> {
        let values = self.values(name, length)?;
        values.as_ref().map_or(Ok(()), |values| self.positions(name, values).map(drop))?;
        if let Some(grid) = &self.dataset.grid {
            let Some(key) = grid.keys.iter().find(|key| is_called(name, &key.name)) else {
                let keys: Vec<&str> = grid.keys.iter().map(|key| key.name.as_str()).collect();
                return Err(self.wrong(format!("has a dimension {name}; those of the dataset are {}", keys.join(", "))));
            };
            let n = key.n();
            let positions = match values {
                Some(values) => self.positions(name, &self.indices(grid, &key.name, name, &values)?)?,
                None if length == n => Positions::Same,
                None => return Err(self.nameless(name, length, n)),
            };
            let column = Grid::index_column(&key.name);
            return Ok(Dimension { name: name.into(), column, length, positions, is_known: true });
        }
        let column = self.column(name)?;
        let n_traces = self.dataset.array.n_traces;
        let positions = match values {
            Some(values) => self.positions(name, &values)?,
            None if column == TRACE_INDEX && length == n_traces => {
                self.check_order(length)?;
                Positions::Same
            }
            None => return Err(self.nameless(name, length, n_traces)),
        };
        Ok(Dimension { name: name.into(), column, length, positions, is_known: false })
    }

    /// Compares the arrays of header fields beside an array of all traces, which does not number them, with those of the dataset:
    /// its traces may have been sorted.
    ///
    /// # Errors
    /// `Error::Input` for one that differs.
    fn check_order(&self, n_traces: u64) -> Result<()> {
        for name in self.dataset.columns.iter().map(|column| &column.name).filter(|name| self.dataset.has_part(name)) {
            let found = self.array.coordinate(name)?.filter(|found| found.shape == [n_traces]);
            let Some(found) = found else { continue };
            let (_, own) = OtherArray::open(&self.dataset.path(name).path())?.numbers()?;
            let differs = |(one, other): (&f64, &f64)| one.to_bits() != other.to_bits() && one != other;
            if let Some(trace) = found.values.iter().zip(&own).position(differs) {
                return Err(self.wrong(format!(
                    "its {name} is not that of the dataset at trace {}, so its traces may be in another order: sort them as in the \
                     file, or write beside it an array trace that numbers them as there, from 0; or leave {name} out",
                    trace + 1
                )));
            }
        }
        Ok(())
    }

    /// Keys of a grid that are no dimension of the array, but one value beside it, as `sel(inline=105)` leaves them.
    fn single(&self, dimensions: &[Dimension]) -> Result<Vec<Dimension>> {
        let Some(grid) = &self.dataset.grid else { return Ok(Vec::new()) };
        let mut single = Vec::new();
        for key in &grid.keys {
            let column = Grid::index_column(&key.name);
            if dimensions.iter().any(|dimension| dimension.column == column) {
                continue;
            }
            let values = match self.array.coordinate(&key.name)? {
                Some(found) if found.shape.is_empty() => found.values,
                _ => return Err(self.wrong(format!("has no dimension {}, which is one of the dataset", key.name))),
            };
            let indices = self.indices(grid, &key.name, &key.name, &values)?;
            let positions = self.positions(&key.name, &indices)?;
            single.push(Dimension { name: key.name.clone(), column, length: 1, positions, is_known: true });
        }
        Ok(single)
    }

    fn positions(&self, name: &str, values: &[f64]) -> Result<Positions> {
        Positions::of(values).map_err(|value| self.wrong(format!("has {name} {value} twice")))
    }

    fn nameless(&self, name: &str, length: u64, n: u64) -> Error {
        self.wrong(format!(
            "has {length} values along {name}, and there is no array {name} beside it that says which of the {n}"
        ))
    }

    /// The places of some values along a key of the grid.
    fn indices(&self, grid: &Grid, key: &str, name: &str, values: &[f64]) -> Result<Vec<f64>> {
        let axis = axis_values(self.dataset, key)?;
        let known = self.positions(name, &axis)?;
        let n = grid.n_places();
        let find = |value: &f64| {
            let found = known.find(*value, n).map(|at| at as f64);
            found.ok_or_else(|| self.wrong(format!("its {name} {value} is not in the dataset")))
        };
        values.iter().map(find).collect()
    }

    /// The column that a dimension is named after.
    fn column(&self, name: &str) -> Result<String> {
        if name == TRACE {
            return Ok(TRACE_INDEX.into());
        }
        let columns = HeaderColumns::open(self.dataset)?;
        let standard = TRACE_FIELDS.iter().find(|field| field.is_called(name)).map(|field| field.name);
        match [Some(name), standard].into_iter().flatten().find(|name| columns.has(name)) {
            Some(column) => Ok(column.into()),
            None => Err(self.wrong(format!(
                "has a dimension {name}, which is not a column of {}",
                self.dataset.headers().display()
            ))),
        }
    }
}

/// Whether a dimension is that of a key, by its name or one that other programs have for the field.
fn is_called(name: &str, key: &str) -> bool {
    name == key || TRACE_FIELDS.iter().any(|field| field.name == key && field.is_called(name))
}
