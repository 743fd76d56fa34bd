#!/usr/bin/env python3
"""Reads datasets with the libraries that users read them with, and compares all of it with the SEG-Y files.

    check_dataset.py JOB.json COMPLAINTS.json

JOB.json is a list of datasets, each with the keys
    name, segy, out             what to call it, the input file, the output directory
    traces, samples, interval_us, format, byte_order      what `segy-import generate` was asked for
    options                     the options of the import; what the dataset should look like follows from them
    segyio                      true: ask segyio for a second opinion (for plain IBM and IEEE files)
COMPLAINTS.json receives a list of complaints per dataset, by its name. The exit code is 0 when every check was made.
"""

import argparse
import base64
import json
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import duckdb
import google_crc32c
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import segyio
import tensorstore
import xarray as xr
import zarr

from segy_reference import Segy, is_held_by_float32, nearest_float32, runs

# Rows of a row group where trace headers are 240 bytes long.
ROW_GROUP_ROWS = 65_536
LITTLE_ENDIAN = ("bytes", {"endian": "little"})
CODECS = {
    "none": [LITTLE_ENDIAN],
    "lz4": [LITTLE_ENDIAN, ("blosc", {"cname": "lz4", "shuffle": "shuffle"})],
    "lz4-bit": [LITTLE_ENDIAN, ("blosc", {"cname": "lz4", "shuffle": "bitshuffle"})],
    "zstd": [LITTLE_ENDIAN, ("blosc", {"cname": "zstd", "shuffle": "shuffle"})],
    "zstd-plain": [LITTLE_ENDIAN, ("zstd", {})],
    "gzip": [LITTLE_ENDIAN, ("gzip", {})],
    "pcodec": [("numcodecs.pcodec", {})],
}
LEVEL_NAMES = {"blosc": "clevel", "zstd": "level", "gzip": "level", "numcodecs.pcodec": "level"}
FIELD_TYPES = {
    "i8": "i1", "u8": "u1", "i16": "i2", "u16": "u2", "i32": "i4", "u32": "u4", "i64": "i8", "u64": "u8",
    "f32": "f4", "f64": "f8", "ibm32": "ibm",
}


def parse_options(options):
    """The options of the import that tell what the dataset should look like."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--codec", default="zstd:2")
    parser.add_argument("--order", default="sample-trace")
    parser.add_argument("--dtype", default="native")
    parser.add_argument("--chunk-traces", type=int)
    parser.add_argument("--chunk-samples", type=int)
    parser.add_argument("--shard", type=int, nargs="?", const=16)
    parser.add_argument("--gather", default="cdp")
    parser.add_argument("--max-probe", type=int, default=10_000)
    parser.add_argument("--field", action="append", default=[])
    parser.add_argument("--no-raw-header", action="store_true")
    for how in ("--workers", "--segments", "--parallel-threshold", "--io", "--access"):
        parser.add_argument(how)
    return parser.parse_args(options)


@dataclass
class Dataset:
    """A dataset and what it was made from."""

    job: dict
    out: Path
    options: argparse.Namespace
    segy: Segy
    samples: np.ndarray  # (trace, sample), of the type that the dataset should have
    columns: dict

    @classmethod
    def load(cls, job):
        options = parse_options(job["options"])
        segy = Segy(job["segy"], job["format"], job["byte_order"], job["samples"])
        samples = nearest_float32(segy.samples) if options.dtype == "float32" else segy.samples
        columns = segy.columns()
        for placed in options.field:
            name, place = placed.split("=")
            first_byte, kind = place.split(":", 1)
            kind = "S" + kind.removeprefix("text:") if kind.startswith("text:") else FIELD_TYPES[kind]
            columns[name] = segy.field(int(first_byte), kind)
        columns["is_dead"] = columns["trace_id_code"] == 2
        columns["is_zero"] = (samples == 0).all(axis=1)
        repeats = np.concatenate([[False], (segy.samples[1:] == segy.samples[:-1]).all(axis=1)])
        columns["is_duplicate"] = repeats & ~columns["is_zero"]
        return cls(job, Path(job["out"]), options, segy, samples, columns)

    @property
    def keys(self):
        return [] if self.options.gather == "none" else self.options.gather.split(",")

    def gathers(self):
        """Starts and ends (exclusive) of the gathers; none without keys."""
        nothing = np.array([], dtype="i8")
        return runs([self.columns[key] for key in self.keys]) if self.keys else (nothing, nothing)

    @property
    def sample_first(self):
        return self.options.order == "sample-trace"

    def by_trace(self, array):
        """An array with its axes in the declared order as (trace, sample)."""
        return np.ascontiguousarray(array.T if self.sample_first else array)

    def part(self, array, traces, samples=slice(None)):
        """A part of an array with its axes in the declared order, as (trace, sample)."""
        return self.by_trace(array[samples, traces] if self.sample_first else array[traces, samples])


def differing(got, want):
    """How two arrays differ, or None. Samples that the file holds as they are must agree in every bit."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype} {got.shape} instead of {want.dtype} {want.shape}"
    same = got == want
    if got.dtype.kind == "f":
        bits = f"u{got.dtype.itemsize}"
        same = np.ascontiguousarray(got).view(bits) == np.ascontiguousarray(want).view(bits)
        same = same | (got == want) | (np.isnan(got) & np.isnan(want))
    if same.all():
        return None
    where = tuple(int(i) for i in np.argwhere(~same)[0])
    n = int((~same).sum())
    return f"{n} of {got.size} values differ, first at {where}: {got[where]!r} instead of {want[where]!r}"


def differing_bits(got, want):
    """As `differing`, but NaN and zero must agree in every bit too."""
    if got.dtype == want.dtype and got.dtype.kind == "f":
        bits = f"u{got.dtype.itemsize}"
        got, want = np.ascontiguousarray(got).view(bits), np.ascontiguousarray(want).view(bits)
    return differing(got, want)


def complain(found, what):
    if found is not None:
        yield f"{what}: {found}"


def expect(got, want, what):
    if got != want:
        yield f"{what} is {got!r} instead of {want!r}"


def check_samples(dataset):
    """Every sample through zarr-python, and parts of them."""
    z = zarr.open_array(dataset.out / "traces.zarr", mode="r")
    exact = dataset.segy.is_exact and dataset.options.dtype == "native"
    compare = differing_bits if exact else differing
    yield from complain(compare(dataset.by_trace(z[:]), dataset.samples), "samples")
    in_group = zarr.open_group(dataset.out, mode="r")["traces.zarr"]
    yield from expect(in_group.metadata, z.metadata, "array metadata in the group")

    n_traces, n_samples = dataset.samples.shape
    chunk_traces = dict(zip(z.metadata.dimension_names, z.chunks))["trace"]
    edges = [(0, 1), (n_traces - 1, n_traces), (0, 0), (n_traces // 3, 2 * n_traces // 3)]
    edges += [(max(edge - 1, 0), min(edge + 2, n_traces)) for edge in (chunk_traces, n_traces // 2)]
    if dataset.keys:
        starts, ends = dataset.gathers()
        picked = {0, len(starts) // 2, len(starts) - 1}
        edges += [(int(starts[gather]), int(ends[gather])) for gather in sorted(picked)]
    parts = [(slice(i, j), slice(None)) for i, j in edges]
    parts.append((slice(1, None, 5), slice(n_samples // 4, n_samples // 4 + 3)))
    for traces, of_trace in parts:
        got, want = dataset.part(z, traces, of_trace), dataset.samples[traces, of_trace]
        yield from complain(compare(got, want), f"samples of traces {traces.start} to {traces.stop}")


def check_tensorstore(dataset):
    """Every sample through another implementation of Zarr and Blosc."""
    if dataset.options.codec.startswith("pcodec"):
        return  # which it does not have
    path = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(dataset.out / "traces.zarr")}}
    got = dataset.by_trace(tensorstore.open(path, open=True).result()[...].read().result())
    exact = dataset.segy.is_exact and dataset.options.dtype == "native"
    compare = differing_bits if exact else differing
    yield from complain(compare(got, dataset.samples), "samples in tensorstore")


def check_array(dataset):
    """Shape, chunk grid and codecs of the array are those asked for."""
    document = json.loads((dataset.out / "traces.zarr" / "zarr.json").read_text())
    n_traces, n_samples = dataset.samples.shape
    arrange = (lambda s, t: [s, t]) if dataset.sample_first else (lambda s, t: [t, s])
    yield from expect(document["shape"], arrange(n_samples, n_traces), "shape")
    yield from expect(document["dimension_names"], arrange("sample", "trace"), "dimension_names")
    yield from expect(document["data_type"], dataset.samples.dtype.name, "data_type")

    grid = document["chunk_grid"]["configuration"]["chunk_shape"]
    codecs = document["codecs"]
    chunk = grid
    if dataset.options.shard:
        yield from expect([codec["name"] for codec in codecs], ["sharding_indexed"], "codecs of a shard")
        chunk = codecs[0]["configuration"]["chunk_shape"]
        codecs = codecs[0]["configuration"]["codecs"]
        shards = min(dataset.options.shard, -(-n_traces // arrange(*chunk)[1]))
        yield from expect(arrange(*grid)[1], shards * arrange(*chunk)[1], "traces in a shard")
    if dataset.options.chunk_traces:
        yield from expect(arrange(*chunk)[1], min(dataset.options.chunk_traces, n_traces), "traces in a chunk")

    if dataset.options.chunk_samples:
        yield from expect(arrange(*chunk)[0], min(dataset.options.chunk_samples, n_samples), "samples in a chunk")

    name, _, level = dataset.options.codec.partition(":")
    expected = [("transpose", {"order": [1, 0]})] if dataset.sample_first else []
    expected += [*CODECS[name], ("crc32c", {})]
    yield from expect([codec["name"] for codec in codecs], [name for name, _ in expected], "codecs")
    for codec, (kind, configuration) in zip(codecs, expected):
        found = codec.get("configuration", {})
        for key, value in configuration.items():
            yield from expect(found.get(key), value, f"{key} of the codec {kind}")
        if level and kind in LEVEL_NAMES:
            yield from expect(found.get(LEVEL_NAMES[kind]), int(level), f"level of the codec {kind}")


def check_xarray(dataset):
    """xarray opens the directory as it is, with its coordinate, and has nothing to warn of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if dataset.options.codec.startswith("pcodec"):
            # Said of every codec that comes from a package of its own.
            warnings.filterwarnings("ignore", "Numcodecs codecs are not in the Zarr version 3 specification")
        opened = xr.open_zarr(dataset.out)
        traces = opened["traces.zarr"].load()
    for warning in caught:
        yield f"xarray warns: {warning.category.__name__}: {warning.message}"
    dims = ("sample", "trace") if dataset.sample_first else ("trace", "sample")
    yield from expect(list(opened.data_vars), ["traces.zarr"], "data variables")
    yield from expect(traces.dims, dims, "dims of the data variable")
    yield from complain(differing(dataset.by_trace(traces.values), dataset.samples), "samples in xarray")
    if "sample" not in opened.coords:
        yield "no coordinate sample in xarray"
        return
    times_ms = np.arange(dataset.job["samples"]) * (dataset.job["interval_us"] / 1000)
    times_ms += float(dataset.columns["delay_recording_time"][0])
    yield from complain(differing(opened["sample"].values, times_ms), "coordinate sample")
    yield from expect(opened["sample"].attrs.get("units"), "ms", "units of the coordinate sample")
    yield from check_coordinates(dataset, opened)
    late = traces.sel(sample=slice(times_ms[1], None)).isel(trace=slice(1, 4)).transpose("trace", "sample")
    yield from complain(differing(late.values, dataset.samples[1:4, 1:]), "samples selected by time in xarray")


USUAL_COORDINATES = [
    "field_record", "inline", "crossline", "cdp", "offset", "source_x", "source_y", "receiver_x", "receiver_y", "cdp_x", "cdp_y",
    "recording_time",
]


def check_coordinates(dataset, opened):
    """The coordinates of the traces are the columns of the header table that vary, with what is known of them."""
    if json.loads((dataset.out / "metadata.json").read_text())["format"]["version"] == 1:
        return
    table = pq.read_table(dataset.out / "headers.parquet")
    want = {}
    for name in dict.fromkeys([*dataset.keys, *USUAL_COORDINATES]):
        column = f"{name}_scaled" if f"{name}_scaled" in table.column_names else name
        if column in table.column_names and len(table[column].unique()) > 1:
            values = table[column].to_numpy()
            want[name] = values.astype("M8[ns]") if name == "recording_time" else values
    got = {name: coordinate for name, coordinate in opened.coords.items() if name != "sample"}
    yield from expect(sorted(got), sorted(want), "coordinates of the traces")
    for name in set(got) & set(want):
        yield from expect(got[name].dims, ("trace",), f"dims of the coordinate {name}")
        values = got[name].values
        if name == "recording_time":
            values, want[name] = values.astype("M8[ns]").astype("i8"), want[name].astype("i8")
        yield from complain(differing(values, want[name]), f"coordinate {name}")
        if not got[name].attrs.get("long_name"):
            yield f"the coordinate {name} has no long_name"
    yield from expect(opened.attrs.get("Conventions"), "CF-1.12", "Conventions")
    yield from expect(opened.attrs.get("source_file"), Path(dataset.job["segy"]).name, "source_file")


def is_derived(name):
    """Whether a column is made of several fields; these may be null, and have a check of their own."""
    return name == "recording_time" or name.endswith(("_longitude", "_latitude"))


def read_with_pyarrow(path):
    table = pq.read_table(path)
    if any(table[name].null_count for name in table.column_names if not is_derived(name)):
        raise AssertionError("there are nulls")
    return {name: table[name].to_numpy() for name in table.column_names}


def read_with_pandas(path):
    frame = pd.read_parquet(path)
    return {name: frame[name].to_numpy() for name in frame.columns}


def read_with_polars(path):
    frame = pl.read_parquet(path)
    return {name: frame[name].to_numpy() for name in frame.columns}


def read_with_duckdb(path):
    columns = duckdb.sql(f"SELECT * FROM read_parquet('{path}')").fetchnumpy()
    return {name: np.asarray(values) for name, values in columns.items()}


READERS = {
    "pyarrow": read_with_pyarrow, "pandas": read_with_pandas, "polars": read_with_polars, "duckdb": read_with_duckdb,
}


def compare_tables(path, want):
    """A Parquet file through every reader: names, order, types and all values of the columns, but for derived ones."""
    for reader, read in READERS.items():
        got = {name: values for name, values in read(path).items() if not is_derived(name)}
        if list(got) != list(want):
            yield f"columns of {path.name} in {reader} are {list(got)} instead of {list(want)}"
            continue
        for name, values in want.items():
            read_values = np.asarray(got[name], dtype=object) if values.dtype == object else got[name]
            yield from complain(differing(read_values, values), f"column {name} of {path.name} in {reader}")


def check_headers(dataset):
    """Every column of the header table; the last is the header as it stands in the file."""
    want = dict(dataset.columns)
    version = json.loads((dataset.out / "metadata.json").read_text())["format"]["version"]
    if dataset.keys and version > 1:
        starts, ends = dataset.gathers()
        ids = {"ensemble_id": np.repeat(np.arange(len(starts)), ends - starts)}
        want = {"trace_index": want.pop("trace_index")} | ids | want
    if not dataset.options.no_raw_header:
        want["raw_header"] = np.array([row.tobytes() for row in dataset.segy.headers], dtype=object)
    path = dataset.out / "headers.parquet"
    yield from compare_tables(path, want)
    yield from check_recording_time(path, dataset)


def check_recording_time(path, dataset):
    """The time of each trace, from its fields."""
    fields = ("year_recorded", "day_of_year", "hour_of_day", "minute_of_hour", "second_of_minute")
    if "recording_time" not in pq.read_schema(path).names:
        # Version 1.
        return
    year, day, hour, minute, second = (dataset.columns[name].astype("i8") for name in fields)
    want = (year - 1970).astype("M8[Y]").astype("M8[D]") + (day - 1)
    want = want.astype("M8[s]") + hour * 3600 + minute * 60 + second
    is_date = ((1678 <= year) & (year <= 2261) & (1 <= day) & (day <= 365) & (0 <= hour) & (hour < 24)
               & (0 <= minute) & (minute < 60) & (0 <= second) & (second <= 60))
    got = pq.read_table(path, columns=["recording_time"])["recording_time"].to_pandas().to_numpy().astype("M8[ns]")
    yield from complain(differing(got[is_date].astype("i8"), want[is_date].astype("M8[ns]").astype("i8")), "recording_time")


def find_with_pyarrow(path, name, value):
    literal = pa.scalar(value, type=pq.read_schema(path).field(name).type)
    return pq.read_table(path, columns=["trace_index"], filters=pc.field(name) == literal)["trace_index"].to_numpy()


def find_with_polars(path, name, value):
    frame = pl.scan_parquet(path)
    literal = pl.lit(value, dtype=frame.collect_schema()[name])
    return frame.filter(pl.col(name) == literal).select("trace_index").collect()["trace_index"].to_numpy()


def find_with_duckdb(path, name, value):
    found = duckdb.execute(f"SELECT trace_index FROM read_parquet('{path}') WHERE {name} = ? ORDER BY ALL", [value])
    return np.asarray(found.fetchnumpy()["trace_index"])


FINDERS = {"pyarrow": find_with_pyarrow, "polars": find_with_polars, "duckdb": find_with_duckdb}


def check_row_groups(dataset):
    """The row groups have their fixed length, and readers that skip by the bounds of a column still find the rows."""
    path = dataset.out / "headers.parquet"
    document = pq.read_metadata(path)
    lengths = [document.row_group(i).num_rows for i in range(document.num_row_groups)]
    whole, rest = divmod(dataset.segy.n_traces, ROW_GROUP_ROWS)
    yield from expect(lengths, [ROW_GROUP_ROWS] * whole + ([rest] if rest else []), "row groups")
    names = ["trace_index", "cdp", "source_x", "source_x_scaled", "sample_interval", "trace_header_name"]
    names += [placed.split("=")[0] for placed in dataset.options.field]
    for name in names:
        if name not in dataset.columns:
            continue
        values = dataset.columns[name]
        numbers = values[values == values]
        for value in (numbers.min(), numbers.max()):
            want = np.flatnonzero(values == value)
            value = value if isinstance(value, str) else value.item()
            for reader, find in FINDERS.items():
                found = find(path, name, value)
                yield from complain(differing(found, want), f"rows where {name} is {value!r} in {reader}")


def check_gathers(dataset):
    """The index of the gathers, and joining it with the headers."""
    path = dataset.out / "ensemble_index.parquet"
    starts, ends = dataset.gathers()
    want = {"ensemble_id": np.arange(len(starts), dtype="i8")}
    # In version 1 they are int64 all.
    is_first = json.loads((dataset.out / "metadata.json").read_text())["format"]["version"] == 1
    want |= {key: dataset.columns[key][starts].astype("i8" if is_first else dataset.columns[key].dtype) for key in dataset.keys}
    want |= {"start_trace": starts, "end_trace": ends, "n_traces": ends - starts}
    yield from compare_tables(path, want)
    if not dataset.keys:
        return
    key = dataset.keys[0]
    rows = duckdb.sql(f"""
        SELECT count(*), count(DISTINCT gather.ensemble_id) FROM read_parquet('{path}') AS gather
        JOIN read_parquet('{dataset.out / "headers.parquet"}') AS header
        ON header.trace_index >= gather.start_trace AND header.trace_index < gather.end_trace
        AND header.{key} = gather.{key}""").fetchall()
    yield from expect(rows, [(dataset.segy.n_traces, len(starts))], "traces and gathers joined in DuckDB")


def check_metadata(dataset):
    """What metadata.json says of the file, its geometry and its contents."""
    metadata = json.loads((dataset.out / "metadata.json").read_text())
    job, segy, samples = dataset.job, dataset.segy, dataset.samples
    is_first = metadata["format"]["version"] == 1
    name = {} if is_first else {"name": Path(job["segy"]).name}
    yield from expect(metadata["input"], {**name, "bytes": segy.bytes.size}, "input")
    yield from expect(metadata["textual_header"], {"encoding": "ebcdic", "lines": segy.textual_lines}, "textual header")
    kept = np.frombuffer(base64.b64decode(metadata["bytes_before_traces"]), np.uint8)
    yield from complain(differing(kept, segy.bytes[:3600]), "bytes_before_traces")
    yield from expect(metadata["bytes_after_traces"], "", "bytes_after_traces")
    for name, first_byte in (("sample_interval", 3217), ("samples_per_trace", 3221), ("data_sample_format", 3225)):
        yield from expect(metadata["binary_header"][name], int(segy.binary(first_byte, "u2")), f"binary header {name}")
    yield from expect(metadata["segy"]["byte_order"], job["byte_order"], "byte order")
    yield from expect(metadata["segy"]["sample_format"]["code"], job["format"], "sample format")

    geometry = metadata["geometry"]
    for name, value in (("n_traces", job["traces"]), ("n_samples", job["samples"]),
                        ("sample_interval_us", job["interval_us"])):
        yield from expect(geometry[name], value, name)
    numbers = {name: values for name, values in dataset.columns.items()
               if name != "trace_index" and not name.endswith("_scaled") and values.dtype.kind in "iu"}
    ranges = {name: [int(v.min()), int(v.max())] for name, v in numbers.items() if v.any()}
    found = {name: value for name, value in geometry["header_ranges"].items() if name in numbers}
    yield from expect(found, ranges, "header ranges")

    starts, ends = dataset.gathers()
    lengths = ends - starts
    gathers = {"keys": dataset.keys, "n_gathers": len(starts), "longest": int(lengths.max(initial=0)),
               "max_probe": dataset.options.max_probe,
               "n_longer_than_max_probe": int((lengths > dataset.options.max_probe).sum())}
    found = dict(metadata["gathers"])
    if not is_first:
        yield from expect(found.pop("decision")["value"], ",".join(dataset.keys) or "none", "decision on gathers")
    yield from expect(found, gathers, "gathers")
    n_objects = sum(path.is_file() for path in (dataset.out / "traces.zarr" / "c").rglob("*"))
    counts = {"n_traces": job["traces"], "n_objects": n_objects, "n_dead": int(dataset.columns["is_dead"].sum()),
              "n_zero": int(dataset.columns["is_zero"].sum()), "n_duplicate": int(dataset.columns["is_duplicate"].sum())}
    yield from expect(metadata["counts"], counts, "counts")
    finite = samples[np.isfinite(samples)]
    statistics = {"min": float(finite.min()), "max": float(finite.max()), "n_nonfinite": samples.size - finite.size}
    yield from expect(metadata["statistics"], statistics, "statistics")
    coordinates = json.loads((dataset.out / "traces.zarr" / "zarr.json").read_text())["attributes"].get("coordinates", "")
    named = ["ensemble_index.parquet", "headers.parquet", "metadata.json", "sample", "traces.crc32c", "traces.zarr",
             "zarr.json", *coordinates.split()]
    if metadata["format"]["version"] == 1:
        named.remove("traces.crc32c")
    if metadata["exceptions"]["n_samples"]:
        named.insert(1, "exceptions.parquet")
    yield from expect(sorted(path.name for path in dataset.out.iterdir()), sorted(named), "files of the dataset")


def check_sample_sums(dataset):
    """The checksums of the samples of each chunk, as zarr-python decodes it."""
    path = dataset.out / "traces.crc32c"
    if not path.exists():
        return
    z = zarr.open_array(dataset.out / "traces.zarr", mode="r")
    chunk_traces, chunk_samples = (z.chunks[z.metadata.dimension_names.index(name)] for name in ("trace", "sample"))
    n_traces, n_samples = dataset.samples.shape
    want = []
    for trace in range(0, n_traces, chunk_traces):
        for sample in range(0, n_samples, chunk_samples):
            chunk = np.zeros((chunk_traces, chunk_samples), dataset.samples.dtype)
            part = dataset.part(z, slice(trace, trace + chunk_traces), slice(sample, sample + chunk_samples))
            chunk[: part.shape[0], : part.shape[1]] = part
            want.append(google_crc32c.value(chunk.tobytes()))
    yield from complain(differing(np.fromfile(path, "<u4"), np.array(want, "u4")), "traces.crc32c")


def check_exceptions(dataset):
    """The words that the float32 values of IBM samples do not give back, and no others."""
    path = dataset.out / "exceptions.parquet"
    if dataset.segy.is_exact:
        yield from expect(path.exists(), False, "exceptions of samples that are stored as they are")
        return
    words = dataset.segy.words
    trace, sample = np.nonzero(~is_held_by_float32(words))
    # In the order of the chunks: where they do not span all samples, along the samples before along the traces.
    if path.exists():
        columns = read_with_pyarrow(path)
        order = np.lexsort((columns["sample_index"], columns["trace_index"]))
        found = [columns[name][order] for name in ("trace_index", "sample_index", "raw_word")]
    else:
        found = [np.array([], "i8")] * 3
    for name, got, want in zip(("trace_index", "sample_index", "raw_word"), found, (trace, sample, words[trace, sample])):
        if not np.array_equal(got, want):
            yield f"exceptions.parquet: {name} has {got.size} values, {differing(got, want) if got.size == want.size else want.size}"


def check_against_segyio(dataset):
    """A second opinion on the samples and header words. Only for files whose numbers segyio reads as the standard says."""
    if not dataset.job.get("segyio"):
        return
    z = zarr.open_array(dataset.out / "traces.zarr", mode="r")
    columns = read_with_pyarrow(dataset.out / "headers.parquet")
    with segyio.open(dataset.job["segy"], ignore_geometry=True, endian=dataset.job["byte_order"]) as f:
        yield from complain(differing(dataset.by_trace(z[:]), f.trace.raw[:]), "samples by segyio")
        for name, word in (("field_record", segyio.su.fldr), ("cdp", segyio.su.cdp), ("offset", segyio.su.offset),
                           ("coordinate_scalar", segyio.su.scalco), ("cdp_x", segyio.su.cdpx),
                           ("inline", segyio.su.iline), ("sample_interval", segyio.su.dt)):
            got = columns[name].astype("i8")
            yield from complain(differing(got, f.attributes(word)[:].astype("i8")), f"column {name} by segyio")
        times_ms = zarr.open_array(dataset.out / "sample", mode="r")[:]
        yield from complain(differing(times_ms, np.asarray(f.samples, np.float64)), "coordinate sample by segyio")


CHECKS = [
    check_samples, check_tensorstore, check_array, check_xarray, check_headers, check_row_groups, check_gathers,
    check_metadata, check_sample_sums, check_exceptions, check_against_segyio,
]


def complaints(job):
    try:
        dataset = Dataset.load(job)
    except Exception:
        return [traceback.format_exc()]
    found = []
    for check in CHECKS:
        try:
            found.extend(check(dataset))
        except Exception:
            found.append(f"{check.__name__} failed: {traceback.format_exc()}")
    return found


def main():
    job_file, complaints_file = sys.argv[1:]
    jobs = json.loads(Path(job_file).read_text())
    Path(complaints_file).write_text(json.dumps({job["name"]: complaints(job) for job in jobs}))


if __name__ == "__main__":
    main()
