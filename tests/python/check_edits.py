"""check_edits.py PROGRAM SEGY GRID FLAT SCRATCH: arrays made of a dataset by xarray, zarr and NumPy go back to SEG-Y, as
segyio and ObsPy read it."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import segyio
import xarray as xr
import zarr

program, survey, grid, flat, scratch = sys.argv[1:]
scratch = Path(scratch)
file = Path(survey).read_bytes()
n_all = int.from_bytes(file[3220:3222])
trace_bytes = 240 + 4 * n_all


def export(dataset, *options, code=0):
    back = scratch / "back.sgy"
    done = subprocess.run([program, "export", dataset, back, "--overwrite", *map(str, options)], capture_output=True, text=True)
    assert done.returncode == code, (options, done)
    return back, done.stdout + done.stderr


def header(index):
    return file[3600 + index * trace_bytes :][:240]


def check(back, cube, first_sample, original):
    """The file has the samples of `cube` (inline, crossline, time), and headers as before but for count and delay."""
    written = back.read_bytes()
    n = cube.sizes["time"]
    length = 240 + 4 * n
    live = [line for line in original if line[0] in cube.inline.values and line[1] in cube.crossline.values]
    assert len(written) == 3600 + len(live) * length, (len(written), len(live))
    with segyio.open(back, ignore_geometry=True) as f:
        assert f.samples.size == n and f.bin[segyio.BinField.Samples] == n
        inlines, crosslines = f.attributes(segyio.TraceField.INLINE_3D)[:], f.attributes(segyio.TraceField.CROSSLINE_3D)[:]
        assert set(inlines) == set(cube.inline.values) and set(crosslines) == set(cube.crossline.values)
        for i, (inline, crossline) in enumerate(zip(inlines, crosslines)):
            expected = cube.sel(inline=inline, crossline=crossline).values
            np.testing.assert_allclose(f.trace[i], expected, rtol=2e-6)
            new, old = bytearray(written[3600 + i * length :][:240]), bytearray(header(original[(inline, crossline)]))
            assert int.from_bytes(new[114:116]) == n and int.from_bytes(new[108:110], signed=True) == 4 * first_sample
            new[114:116], new[108:110] = old[114:116], old[108:110]
            assert new == old
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from obspy.io.segy.segy import _read_segy
    except ImportError as e:
        raise AssertionError("ObsPy is not here") from e
    stream = _read_segy(str(back), unpack_headers=False)
    assert len(stream.traces) == len(inlines)
    assert all(trace.header.number_of_samples_in_this_trace == n for trace in stream.traces)
    np.testing.assert_allclose(stream.traces[0].data, cube.sel(inline=inlines[0], crossline=crosslines[0]).values, rtol=2e-6)


with segyio.open(survey, ignore_geometry=True) as f:
    lines = zip(f.attributes(segyio.TraceField.INLINE_3D)[:], f.attributes(segyio.TraceField.CROSSLINE_3D)[:])
    places = {line: i for i, line in enumerate(lines)}

ds = xr.open_zarr(grid).load()
for coordinate in ds.coords.values():
    coordinate.encoding = {}
new = ds.amplitude * 2
inlines, crosslines, times = ds.inline.values, ds.crossline.values, ds.time.values
part = new.sel(inline=slice(inlines[2], inlines[6]), time=slice(times[10], times[29]))
step = part.isel(crossline=slice(None, None, 3))
arrays = {
    "part": (part, {}),
    "every third crossline, other way round": (step.isel(crossline=slice(None, None, -1)), {}),
    "time first": (part.transpose("time", "crossline", "inline"), {}),
    "small chunks": (part, {"chunks": (2, 3, 7)}),
    "doubles": (part.astype("float64") * 1.1, {}),
}
for version in (2, 3):
    for name, (array, encoding) in arrays.items():
        path = scratch / f"{name} {version}"
        # The encoding of the dataset stays in version 3, and cannot in version 2.
        array = array if version == 3 else array.drop_encoding()
        array.to_dataset(name="amplitude").to_zarr(path, zarr_format=version, encoding={"amplitude": encoding})
        for dataset in (grid, flat):
            back, said = export(dataset, "--samples", path / "amplitude")
            check(back, array.transpose("inline", "crossline", "time"), 10, places)
            assert ("IEEE" if name == "doubles" else "IBM") in said, said

# Shards, every codec of numcodecs that xarray users choose, and what zarr-python has from the dataset itself.
import zarr.codecs as zc
from numcodecs import Blosc, Zlib, Zstd as Zstd2

path = scratch / "codecs"
codecs = [zc.GzipCodec(), zc.BloscCodec(cname="lz4hc", shuffle="bitshuffle"), zc.BloscCodec(cname="blosclz"), zc.ZstdCodec()]
for i, codec in enumerate(codecs):
    encoding = {"chunks": (2, 3, 7), "shards": (4, 6, 14) if i % 2 else None, "compressors": codec}
    part.drop_encoding().to_dataset(name=f"a{i}").to_zarr(path / f"v3 {i}", zarr_format=3, encoding={f"a{i}": encoding})
    check(export(grid, "--samples", path / f"v3 {i}" / f"a{i}")[0], part, 10, places)
for i, codec in enumerate([Blosc("zlib"), Blosc("zstd", shuffle=Blosc.BITSHUFFLE), Zlib(), Zstd2(), None]):
    encoding = {"chunks": (5, 4, 20), "compressors": codec}
    part.drop_encoding().to_dataset(name=f"a{i}").to_zarr(path / f"v2 {i}", zarr_format=2, encoding={f"a{i}": encoding})
    check(export(flat, "--samples", path / f"v2 {i}" / f"a{i}")[0], part, 10, places)

# One line, which leaves its inline beside the array; one trace.
line = new.sel(inline=inlines[3])
line.to_dataset(name="amplitude").to_zarr(scratch / "line")
check(export(grid, "--samples", scratch / "line/amplitude")[0], line.expand_dims("inline"), 0, places)
single = line.sel(crossline=crosslines[5])
single.to_dataset(name="amplitude").to_zarr(scratch / "single")
back, _ = export(grid, "--samples", scratch / "single/amplitude")
check(back, single.expand_dims(["inline", "crossline"]), 0, places)

# What numpy writes, in either order.
for order in "CF":
    np.save(scratch / "new.npy", np.asarray(new.values, order=order))
    check(export(grid, "--samples", scratch / "new.npy")[0], new, 0, places)

# Some traces of the flat array, by their numbers.
traces = xr.open_zarr(flat)["traces.zarr"].load()
some = (traces * 3).isel(trace=[7, 40, 5], sample=slice(5, 25)).assign_coords(trace=[7, 40, 5])
some.to_dataset(name="some").to_zarr(scratch / "some")
back, _ = export(flat, "--samples", scratch / "some/some")
with segyio.open(back, ignore_geometry=True) as f:
    np.testing.assert_allclose(f.trace.raw[:], some.sortby("trace").transpose("trace", "sample").values, rtol=2e-6)

# An edit in the array itself.
assert Path(export(flat, "--unedited")[0]).read_bytes() == file
assert Path(export(grid, "--unedited")[0]).read_bytes() == file
array = zarr.open_array(f"{flat}/traces.zarr", mode="r+")
array[:, 3] = array[:, 3] * 2
back, said = export(flat)
assert "hold other samples than were imported: traces 1 to" in said, said
with segyio.open(back, ignore_geometry=True) as f, segyio.open(survey, ignore_geometry=True) as old:
    np.testing.assert_allclose(f.trace[3], old.trace[3] * 2, rtol=2e-6)
    assert np.array_equal(f.trace[4], old.trace[4])
assert "hold other samples" in export(flat, "--unedited", code=3)[1]
cube = zarr.open_array(f"{grid}/amplitude", mode="r+")
cube[0, 0, 0] = 5
assert "bricks are not those" in export(grid)[1]
export(grid, "--unedited", code=3)
print("all agree")
