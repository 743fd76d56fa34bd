//! Tables of numbers that other programs wrote: Parquet, in one file or a directory of them, or CSV with a first line of names.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::vec;

use parquet::basic::Compression;

use crate::base::error::Error;
use crate::parquet::{Column, PageSource, TableFooter, UNDECODABLE};
use crate::segy::samples::number::Number;
use crate::store::{Place, Reader, Stream, TableReader, is_remote};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 4096;
/// Bytes of a line, at most.
const MOST_LINE_BYTES: usize = 1 << 20;

/// A Parquet file with its footer read.
struct Parquet {
    name: String,
    file: TableReader,
    footer: TableFooter,
}

/// A column of some rows; `None` for what is not a number.
pub(super) type Numbers = Vec<Option<Number>>;

/// A table, to be read once.
pub(super) struct TableRows {
    /// The names of its columns.
    pub names: Vec<String>,
    kind: Kind,
}

enum Kind {
    Parquet(Parquet, vec::IntoIter<Place>),
    Csv(BufReader<Stream>),
}

impl TableRows {
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let rows = Self::open_any(path)?;
        let is_twice = |(i, name): &(usize, &String)| rows.names[..*i].contains(name);
        match rows.names.iter().enumerate().find(is_twice) {
            Some((_, name)) => Err(format!("has two columns {name}")),
            None => Ok(rows),
        }
    }

    fn open_any(path: &Path) -> Result<Self, String> {
        let cannot = |e: std::io::Error| format!("cannot be read: {e}");
        let mut parts = files_of(path).map_err(cannot)?.into_iter();
        let place = parts.next().ok_or("has no files called .parquet")?;
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            let mut lines = BufReader::new(Reader::open(&place).and_then(Reader::whole).map_err(cannot)?);
            let names = line(&mut lines)?.ok_or("is empty")?;
            return Ok(Self { names: cells(&names).map(str::to_owned).collect(), kind: Kind::Csv(lines) });
        }
        let first = parquet(&place)?;
        Ok(Self { names: names_in(&first), kind: Kind::Parquet(first, parts) })
    }

    /// Passes on the columns of these numbers, batch after batch.
    ///
    /// # Errors
    /// Why it cannot be read, or what `take` says.
    pub(super) fn each(
        self,
        columns: &[usize],
        take: &mut dyn FnMut(Vec<Numbers>) -> Result<(), String>,
    ) -> Result<(), String> {
        match self.kind {
            Kind::Parquet(first, others) => {
                let names: Vec<&str> = columns.iter().map(|&i| self.names[i].as_str()).collect();
                each_of_part(first, &names, take)?;
                for place in others {
                    let part = parquet(&place)?;
                    if names_in(&part) != self.names {
                        return Err(format!("has other columns in {} than in its first file", place.display()));
                    }
                    each_of_part(part, &names, take)?;
                }
                Ok(())
            }
            Kind::Csv(mut lines) => {
                let mut batch: Vec<Numbers> = vec![Vec::new(); columns.len()];
                while let Some(text) = line(&mut lines)? {
                    let row: Vec<&str> = cells(&text).collect();
                    if row.len() != self.names.len() {
                        return Err(format!(
                            "a line of it has {} values, and the first {}",
                            row.len(),
                            self.names.len()
                        ));
                    }
                    batch.iter_mut().zip(columns).for_each(|(column, &i)| column.push(number(row[i])));
                    if batch.first().is_some_and(|column| column.len() == BATCH_ROWS) {
                        take(std::mem::replace(&mut batch, vec![Vec::new(); columns.len()]))?;
                    }
                }
                take(batch)
            }
        }
    }
}

/// The file at a path, or the tables in a directory.
fn files_of(path: &Path) -> io::Result<Vec<Place>> {
    if is_remote(path) {
        let place = Place::to_read(path)?;
        return if place.find()?.is_some() { Ok(vec![place]) } else { parquet_files_in(&place) };
    }
    match std::fs::metadata(path)?.is_dir() {
        true => parquet_files_in(&Place::to_read(path)?),
        false => Ok(vec![Place::file_to_read(path)?]),
    }
}

/// The tables in a directory, in the order of their names.
fn parquet_files_in(directory: &Place) -> io::Result<Vec<Place>> {
    let mut names = directory.names_below()?;
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "parquet"));
    names.sort_unstable();
    Ok(names.iter().map(|name| directory.join(name)).collect())
}

fn parquet(place: &Place) -> Result<Parquet, String> {
    let file = TableReader::open(place).map_err(|e| format!("cannot be read: {e}"))?;
    let footer = TableFooter::read(&file).map_err(|e| format!("is neither Parquet nor called .csv: {e}"))?;
    let mut chunks = footer.metadata.row_groups().iter().flat_map(|group| group.columns());
    match chunks.find(|chunk| matches!(chunk.compression(), Compression::BROTLI(_) | Compression::LZO)) {
        Some(chunk) => {
            let codec = chunk.compression().to_string();
            let codec = codec.split('(').next().unwrap_or_default();
            Err(format!("is packed with {codec}; write it with ZSTD, SNAPPY, GZIP or LZ4"))
        }
        None => Ok(Parquet { name: place.display().to_string(), file, footer }),
    }
}

fn names_in(part: &Parquet) -> Vec<String> {
    part.footer.schema.fields().iter().map(|field| field.name().clone()).collect()
}

fn each_of_part(
    Parquet { name, file, footer }: Parquet,
    names: &[&str],
    take: &mut dyn FnMut(Vec<Numbers>) -> Result<(), String>,
) -> Result<(), String> {
    for column in names {
        if let Some(of) = footer.type_of_no_numbers(column) {
            return Err(format!("its column {column} has the type {of}; write it as integers, float32 or float64"));
        }
    }
    let groups = footer.groups_of(&(0..footer.n_rows()));
    let undecodable = Error::Input(format!("{name}: cannot be read: {UNDECODABLE}"));
    let source = PageSource { file, most_bytes: u64::MAX, undecodable };
    for batch in footer.batches(source, names, groups, BATCH_ROWS) {
        let batch = batch.map_err(|e| format!("cannot be read: {e}"))?;
        take(batch.into_iter().map(numbers).collect())?;
    }
    Ok(())
}

/// The next line that is not empty.
fn line(lines: &mut impl BufRead) -> Result<Option<String>, String> {
    loop {
        let mut bytes = Vec::new();
        let mut limited = std::io::Read::take(&mut *lines, MOST_LINE_BYTES as u64);
        match limited.read_until(b'\n', &mut bytes).map_err(|e| format!("cannot be read: {e}"))? {
            0 => return Ok(None),
            MOST_LINE_BYTES => return Err(format!("has a line of more than {MOST_LINE_BYTES} bytes")),
            _ => {}
        }
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if !text.is_empty() {
            return Ok(Some(text));
        }
    }
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.trim_start_matches('\u{feff}').split(',').map(|cell| cell.trim().trim_matches('"').trim())
}

fn number(text: &str) -> Option<Number> {
    match text.parse() {
        Ok(integer) => Some(Number::Integer(integer)),
        Err(_) => text.parse().ok().map(Number::Float),
    }
}

fn numbers(column: Column) -> Numbers {
    match column {
        Column::Integers(values) => values.into_iter().map(|v| v.map(|v| Number::Integer(v.into()))).collect(),
        Column::Unsigned(values) => values.into_iter().map(|v| v.map(|v| Number::Integer(v.into()))).collect(),
        Column::Floats(values) => values.into_iter().map(|v| v.map(Number::Float)).collect(),
        other => vec![None; other.n_rows()],
    }
}
