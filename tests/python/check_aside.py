"""check_aside.py FLAT GRID: every trace of a dataset in file order is in the grid or aside of it, the first of a place in the grid."""

import sys
import warnings

import numpy as np
import pyarrow.parquet as pq
import xarray as xr
import zarr

flat, grid = sys.argv[1:3]
warnings.simplefilter("error")
traces = zarr.open_group(flat, mode="r")["traces.zarr"][:].T
columns = ["inline", "crossline", "trace_sequence_line", "inline_index", "crossline_index"]
table = pq.read_table(f"{grid}/segy/headers.parquet", columns=columns).to_pydict()
ds, aside = xr.open_zarr(grid), xr.open_zarr(grid, group="aside")
assert aside.amplitude.dims == ("trace", "time"), aside.amplitude.dims
assert np.array_equal(aside.time, ds.time)
seen, later = set(), []
for trace, place in enumerate(zip(table["inline"], table["crossline"])):
    index = (table["inline_index"][trace], table["crossline_index"][trace])
    if place in seen:
        later.append(trace)
        assert index == (-1, -1), (trace, index)
        continue
    seen.add(place)
    here = ds.sel(inline=place[0], crossline=place[1])
    assert (ds.inline.values[index[0]], ds.crossline.values[index[1]]) == place
    assert int(here.trace_index) == trace and np.array_equal(here.amplitude.values, traces[trace]), trace
assert aside.trace_index.values.tolist() == later and len(later) == 6, later
assert np.array_equal(aside.amplitude.values, traces[later])
for key in ("inline", "crossline"):
    assert aside[key].values.tolist() == [table[key][trace] for trace in later]
group = zarr.open_group(grid, mode="r")
headers = group["aside"]["headers"][:]
assert headers["trace_seq_num_line"].tolist() == [table["trace_sequence_line"][trace] for trace in later]
assert headers["inline"].tolist() == aside.inline.values.tolist()
