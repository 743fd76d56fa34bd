//! What a dataset is, where it comes from, what it holds, and how to open it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::base::error::{Error, Result, unreadable};
use crate::base::plural::counted;
use crate::base::shell::{quoted, quoted_word};
use crate::base::visible::{visible, visible_path};
use crate::dataset::document::{Document, GridDocument, GridKeyDocument, PartDocument};
use crate::dataset_files::{HEADERS, METADATA, TABLES, ZARR_JSON};
use crate::inspect::text_columns::{grouped, table};
use crate::segy::SampleAxis;
use crate::staging::document_in;
use crate::store::Place;
use crate::store::files::find_json;
use crate::store::place::is_absence;

const INDENT: &str = "  ";
/// Most file names to show.
const MOST_FILES: usize = 5;

/// A dataset.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DatasetReport {
    /// Where it is.
    pub dataset: PathBuf,
    /// `traces` in file order, a `grid`, or `headers` without samples.
    pub layout: &'static str,
    /// The version of its format, and of the program that made it.
    pub format_version: u32,
    pub program_version: String,
    /// The files it was made from.
    pub files: Vec<FileOf>,
    pub n_traces: u64,
    pub n_samples: u64,
    pub sample_axis: SampleAxis,
    pub sample_format: String,
    /// The gather keys, and how many gathers there are.
    pub gather_keys: Vec<String>,
    pub n_gathers: u64,
    /// Name of the array of the samples.
    pub variable: String,
    pub codec: String,
    /// All arrays; none without samples.
    pub arrays: Vec<ArrayOf>,
    /// The header table, by its path in the dataset.
    pub header_table: String,
    pub n_columns: usize,
    pub header_table_bytes: u64,
    /// The keys of a grid.
    pub grid_keys: Vec<GridKeyDocument>,
    /// What of the files it was made from, if not all.
    pub part: Option<PartDocument>,
    /// Whether `export` gives the file back byte for byte.
    pub is_exact: bool,
    pub warnings: Vec<String>,
    /// How to open it in Python.
    pub python: Vec<String>,
    /// Commands for it.
    pub commands: Vec<String>,
}

/// A file that a dataset was made from.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileOf {
    pub name: String,
    pub bytes: u64,
    pub n_traces: u64,
}

/// An array of a dataset.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ArrayOf {
    pub name: String,
    pub dimensions: Vec<String>,
    pub shape: Vec<u64>,
    /// Of a chunk, or of a shard.
    pub stored_shape: Vec<u64>,
    pub data_type: Value,
    pub units: Option<String>,
    pub long_name: Option<String>,
}

/// Reports on the dataset at a path; `None` if there is none.
///
/// # Errors
/// `Error::Damaged` and others for one that cannot be read.
pub(crate) fn dataset_report(path: &Path) -> Result<Option<DatasetReport>> {
    let root = match Place::to_read(path) {
        Ok(root) => root,
        Err(e) if is_absence(&e) => return Ok(None),
        Err(e) => return Err(unreadable(path, &e)),
    };
    let Some(place) = document_in(&root)? else { return Ok(None) };
    let document = Document::read(&place)?;
    let group: Option<Value> = find_json(&root.join(ZARR_JSON))?;
    let arrays = group.map(|group| arrays(&group)).unwrap_or_default();
    let tables = if document.grid.is_some() { format!("{TABLES}/") } else { String::new() };
    let files = files(&document);
    let header_table_bytes = header_table_bytes(&document);
    let layout = match (&document.grid, document.options.headers_only) {
        (Some(_), _) => "grid",
        (None, true) => "headers",
        (None, false) => "traces",
    };
    let variable = document.grid.as_ref().map_or(&document.options.variable, |grid| &grid.variable).clone();
    Ok(Some(DatasetReport {
        python: python(path, layout, &variable, &document, &tables),
        commands: commands(path, layout, &files),
        dataset: path.to_owned(),
        layout,
        format_version: document.format.version,
        program_version: document.format.program_version,
        files,
        n_traces: document.geometry.n_traces,
        n_samples: document.geometry.n_samples,
        sample_axis: document.geometry.sample_axis,
        sample_format: document.segy.sample_format.name,
        gather_keys: document.gathers.keys,
        n_gathers: document.gathers.n_gathers,
        variable,
        codec: document.options.codec.to_string(),
        arrays,
        header_table_bytes,
        header_table: format!("{tables}{HEADERS}"),
        n_columns: document.columns.len(),
        grid_keys: document.grid.map(|grid| grid.keys).unwrap_or_default(),
        is_exact: document.precision.is_none() && document.part.is_none() && layout != "headers",
        part: document.part,
        warnings: document.warnings,
    }))
}

/// Of the file, or of all parts.
fn header_table_bytes(document: &Document) -> u64 {
    let files = document.checksums.iter().filter(|(path, _)| Path::new(path).starts_with(HEADERS));
    files.fold(0, |bytes, (_, checksum)| bytes.saturating_add(checksum.bytes))
}

/// The error for a directory without a dataset.
pub(crate) fn no_dataset(path: &Path) -> Error {
    let out = quoted(path);
    Error::Input(format!(
        "{}: is a directory without {METADATA}, so no complete dataset; \"segy-import status {out}\" says how far an import is",
        path.display()
    ))
}

fn files(document: &Document) -> Vec<FileOf> {
    if document.files.is_empty() {
        let name = document.input.name.clone().unwrap_or_default();
        return vec![FileOf { name, bytes: document.input.bytes, n_traces: document.geometry.n_traces }];
    }
    let of = |file: &crate::dataset::document::FileEntry| FileOf {
        name: file.name.clone(),
        bytes: file.bytes,
        n_traces: file.end_trace - file.start_trace,
    };
    document.files.iter().map(of).collect()
}

/// The arrays in the document of a group.
fn arrays(group: &Value) -> Vec<ArrayOf> {
    let numbers = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let texts = |value: &Value| {
        value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let of = |(name, array): (&String, &Value)| {
        let said = |key: &str| array["attributes"][key].as_str().map(str::to_owned);
        ArrayOf {
            name: name.clone(),
            dimensions: texts(&array["dimension_names"]),
            shape: numbers(&array["shape"]),
            stored_shape: numbers(&array["chunk_grid"]["configuration"]["chunk_shape"]),
            data_type: array["data_type"].clone(),
            units: said("units"),
            long_name: said("long_name"),
        }
    };
    let documents = group["consolidated_metadata"]["metadata"].as_object();
    documents.into_iter().flatten().map(of).collect()
}

/// Python that opens it.
fn python(path: &Path, layout: &str, variable: &str, document: &Document, tables: &str) -> Vec<String> {
    let root = path.to_string_lossy();
    let place = |name: &str| Value::from(format!("{}/{name}", root.trim_end_matches('/'))).to_string();
    let mut lines = Vec::new();
    if layout != "headers" {
        let open = Value::from(root.trim_end_matches('/')).to_string();
        lines.push("import xarray as xr".into());
        lines.push(format!("ds = xr.open_zarr({open})"));
        let samples =
            if variable.contains('.') { format!("ds[{}]", Value::from(variable)) } else { format!("ds.{variable}") };
        lines.push(match document.grid.as_ref().and_then(key_to_select) {
            Some(key) => format!("{samples}.sel({}={})", key.name, key.first),
            None => format!("{samples}.isel(trace=slice(0, 100)).values"),
        });
    }
    let headers = place(&format!("{tables}{HEADERS}"));
    let columns = Value::from(columns_to_read(document));
    lines.push(format!("import pandas as pd; pd.read_parquet({headers}, columns={columns})"));
    lines
}

/// The first key of a grid with more than one value, or else the first.
fn key_to_select(grid: &GridDocument) -> Option<&GridKeyDocument> {
    grid.keys.iter().find(|key| key.n > 1).or_else(|| grid.keys.first())
}

/// A few columns of the header table that tell traces apart: keys first, and none that is the same in all traces.
fn columns_to_read(document: &Document) -> Vec<&str> {
    const MOST: usize = 3;
    const USUAL: [&str; 7] = ["inline", "crossline", "cdp", "offset", "field_record", "trace_number", "shot_point"];
    let keys = document.gathers.keys.iter().map(String::as_str);
    let axes = document.grid.iter().flat_map(|grid| grid.keys.iter().map(|key| key.name.as_str()));
    let ranges = &document.geometry.header_ranges;
    let varies = |name: &str| ranges.iter().any(|(column, [min, max])| column == name && min < max);
    let mut columns: Vec<&str> = Vec::new();
    for name in axes.chain(keys).chain(USUAL).filter(|name| varies(name)) {
        if columns.len() < MOST && !columns.contains(&name) {
            columns.push(name);
        }
    }
    if columns.is_empty() { vec!["trace_index"] } else { columns }
}

/// Commands that take it.
fn commands(path: &Path, layout: &str, files: &[FileOf]) -> Vec<String> {
    let dataset = quoted(path);
    let mut commands = vec![format!("segy-import verify {dataset}")];
    if layout != "headers" {
        let target = match files {
            [only] if !only.name.is_empty() => quoted_word(&format!("back_{}", only.name)),
            [_] => "back.sgy".into(),
            _ => "back/".into(),
        };
        commands.push(format!("segy-import export {dataset} {target}"));
        commands.push(format!("segy-import report {dataset} -o report.html"));
    }
    commands
}

/// The report as text for people.
pub(crate) fn text(report: &DatasetReport) -> String {
    let mut text = format!(
        "{}: dataset of segy-import {} (format {})\n",
        visible_path(&report.dataset),
        visible(&report.program_version),
        report.format_version
    );
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, value: String| rows.push(vec![what.to_owned(), value]);
    for (i, file) in report.files.iter().take(MOST_FILES).enumerate() {
        let what = if i == 0 { "made from" } else { "" };
        row(
            what,
            format!(
                "{}  {} bytes, {}",
                file.name,
                grouped(file.bytes),
                counted(file.n_traces, grouped(file.n_traces), "trace")
            ),
        );
    }
    if report.files.len() > MOST_FILES {
        row("", format!("and {} more", report.files.len() - MOST_FILES));
    }
    row("layout", layout(report));
    if let Some(part) = &report.part {
        let (all, samples) = (grouped(part.n_traces), grouped(part.n_samples));
        row(
            "part",
            format!("of {all} traces of {samples} samples, which it cannot give back: {}", part.options.join(" ")),
        );
    }
    row("traces", grouped(report.n_traces));
    row("samples", samples(report));
    if report.layout != "headers" {
        row("codec", report.codec.clone());
    }
    row(
        "gathers",
        match report.gather_keys.join(",") {
            keys if keys.is_empty() => "none".into(),
            keys => format!("{} by {keys}", grouped(report.n_gathers)),
        },
    );
    let headers = format!("{} columns, {} bytes", report.n_columns, grouped(report.header_table_bytes));
    row(&report.header_table, headers);
    text += &table(&rows, &[], INDENT);
    if !report.arrays.is_empty() {
        text += "\nArrays\n";
        text += &table(&report.arrays.iter().map(array_row).collect::<Vec<_>>(), &[], INDENT);
    }
    for warning in &report.warnings {
        text += &format!("warning: {}\n", visible(warning));
    }
    let block = |title: &str, lines: &[String]| {
        let lines: String = lines.iter().map(|line| format!("{INDENT}{}\n", visible(line))).collect();
        format!("\n{title}\n{lines}")
    };
    text += &block("In Python", &report.python);
    text + &block("Commands", &report.commands)
}

fn layout(report: &DatasetReport) -> String {
    match report.layout {
        "grid" => {
            let key =
                |key: &GridKeyDocument| format!("{} {} to {} ({})", key.name, key.first, key.last, grouped(key.n));
            let keys: Vec<String> = report.grid_keys.iter().map(key).collect();
            format!("grid: {}", keys.join(", "))
        }
        "headers" => "headers without samples".into(),
        _ => "traces in file order".into(),
    }
}

fn samples(report: &DatasetReport) -> String {
    let axis = &report.sample_axis;
    let (n, format) = (grouped(report.n_samples), &report.sample_format);
    let last = axis.value(report.n_samples.saturating_sub(1));
    match axis.interval {
        None => format!("{n}, {format}"),
        Some(_) => format!("{n} of {}, {} to {last} {}, {format}", axis.interval_text(), axis.start, axis.units_text()),
    }
}

fn array_row(array: &ArrayOf) -> Vec<String> {
    let shape = array.dimensions.iter().zip(&array.shape).map(|(name, n)| format!("{name} {}", grouped(*n)));
    let shape: Vec<String> = shape.collect();
    let of_type = array.data_type.as_str().unwrap_or("records").to_owned();
    let unit = array.units.as_ref().map_or(String::new(), |unit| format!("[{unit}] "));
    let what = array.long_name.clone().unwrap_or_default();
    vec![array.name.clone(), format!("({})", shape.join(", ")), of_type, format!("{unit}{what}")]
}
