"""check_grid.py FLAT GRID: every trace of a dataset in file order is at its place in the grid, and nothing else is."""

import sys
import warnings

import numpy as np
import pyarrow.parquet as pq
import tensorstore as ts
import xarray as xr
import zarr

flat, grid = sys.argv[1:3]
warnings.simplefilter("error")
traces = zarr.open_group(flat, mode="r")["traces.zarr"][:].T
table = pq.read_table(f"{grid}/segy/headers.parquet", columns=["inline", "crossline", "inline_index", "crossline_index"])
ds = xr.open_zarr(grid)
cube = ds.amplitude
assert cube.dims == ("inline", "crossline", "time"), cube.dims
rows = table.to_pydict()
for i, (inline, crossline) in enumerate(zip(rows["inline"], rows["crossline"])):
    assert np.array_equal(cube.sel(inline=inline, crossline=crossline).values, traces[i]), i
    assert (ds.inline.values[rows["inline_index"][i]], ds.crossline.values[rows["crossline_index"][i]]) == (inline, crossline)
mask, numbers = ds.trace_mask.values, ds.trace_index.values
assert mask.sum() == len(traces) and (numbers[~mask] == -1).all()
assert np.array_equal(np.sort(numbers[mask]), np.arange(len(traces)))
assert np.isnan(cube.values[~mask]).all()
assert np.isfinite(ds.cdp_x.values[mask]).all()
headers = zarr.open_group(grid, mode="r")["headers"][:]
assert np.array_equal(headers["inline"][mask], ds.inline.broadcast_like(ds.trace_mask).values[mask])
store = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{grid}/amplitude"}}
assert np.array_equal(ts.open(store).result().read().result(), cube.values, equal_nan=True)
