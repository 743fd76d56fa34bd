"""Compares datasets of a part of a file, and the file exported from one, with the whole file as segyio reads it.

check_part.py FILE GRID FLAT EXPORTED: inlines 5 to 8, crosslines from 3 on, 40 to 116 ms.
"""

import sys

import numpy as np
import segyio
import xarray as xr

whole_path, grid_path, flat_path, part_path = sys.argv[1:]

with segyio.open(whole_path, strict=False, ignore_geometry=True) as whole:
    inline = whole.attributes(189)[:]
    crossline = whole.attributes(193)[:]
    wanted = np.flatnonzero((inline >= 5) & (inline < 9) & (crossline >= 3))
    samples = whole.trace.raw[:][wanted, 10:30]
    headers = [dict(whole.header[int(trace)]) for trace in wanted]

with segyio.open(part_path, ignore_geometry=True) as part:
    assert part.bin[3221] == 20 and len(part.samples) == 20, part.samples
    assert np.array_equal(part.samples, np.arange(40, 120, 4)), part.samples
    assert np.array_equal(part.trace.raw[:], samples)
    for trace, header in enumerate(headers):
        found = dict(part.header[trace])
        differ = {key for key in header if header[key] != found[key]}
        assert differ == {segyio.TraceField.TRACE_SAMPLE_COUNT, segyio.TraceField.DelayRecordingTime}, differ
        assert (found[115], found[109]) == (20, 40)

grid = xr.open_zarr(grid_path)
assert list(grid.inline.values) == [5, 6, 7, 8] and list(grid.time.values) == list(range(40, 120, 4))
assert np.array_equal(grid.amplitude.values.reshape(60, 20), samples)

flat = xr.open_zarr(flat_path)
assert np.array_equal(flat["traces.zarr"].values.T, samples) and list(flat.sample.values) == list(range(40, 120, 4))
print("all agree")
