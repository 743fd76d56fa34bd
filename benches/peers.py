#!/usr/bin/env python3
"""Converts a SEG-Y file with another tool, for benches/compare.py.

    benches/peers.py NAME IN OUT      runs one of them
    benches/peers.py --list           lists those available here, one per line

Each is used as its documentation recommends. All are optional and come from PyPI:
multidimio, segyio and zarr, segysak, tiledb-segy, openvds.
"""
import concurrent.futures
import importlib.util
import os
import shutil
import subprocess
import sys

WORKERS = 2


def mdio(source, out):
    from mdio import segy_to_mdio
    from mdio.builder.template_registry import TemplateRegistry
    from segy.standards import get_segy_standard
    os.environ["MDIO__IMPORT__CPU_COUNT"] = str(WORKERS)
    template = TemplateRegistry().get("PostStack3DTime")
    segy_to_mdio(segy_spec=get_segy_standard(1.0), mdio_template=template, input_path=source, output_path=out, overwrite=True)


def segment_with_segyio(source, path, start, end):
    import segyio
    import zarr
    with segyio.open(source, ignore_geometry=True) as file:
        array = zarr.create_array(path, shape=(end - start, len(file.samples)), chunks=(1000, len(file.samples)), dtype="f4")
        for first in range(start, end, 1000):
            last = min(first + 1000, end)
            array[first - start:last - start] = file.trace.raw[first:last]


def segyio_zarr(source, out):
    """Processes convert segments, then a merge: the design of this program in Python."""
    import segyio
    import zarr
    with segyio.open(source, ignore_geometry=True) as file:
        n, n_samples = file.tracecount, len(file.samples)
    step = -(-n // WORKERS // 1000) * 1000
    bounds = [(start, min(start + step, n)) for start in range(0, n, step)]
    paths = [f"{out}.segment_{i}" for i in range(len(bounds))]
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(segment_with_segyio, [source] * len(bounds), paths, *zip(*bounds)))
    merged = zarr.create_array(out, shape=(n, n_samples), chunks=(1000, n_samples), dtype="f4")
    for (start, end), path in zip(bounds, paths):
        segment = zarr.open_array(path, mode="r")
        for first in range(start, end, 1000):
            last = min(first + 1000, end)
            merged[first:last] = segment[first - start:last - start]
        shutil.rmtree(path)


def segysak(source, out):
    import xarray
    fields = {"iline": 189, "xline": 193}
    dataset = xarray.open_dataset(source, dim_byte_fields=fields, engine="sgy_engine", chunks={"iline": 100, "xline": 100})
    dataset.to_zarr(out)


def tiledb(source, out):
    subprocess.run([tool("segy2tiledb"), "-g", "unstructured", source, out], check=True)


def openvds(source, out):
    command = [tool("SEGYImport"), "--compression-method=None", "--vdsfile", out, source]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def tool(name):
    """A program in the environment of this Python."""
    return os.path.join(os.path.dirname(sys.executable), name)


PEERS = {
    "openvds": (openvds, ["openvds"]),
    "segyio+zarr": (segyio_zarr, ["segyio", "zarr"]),
    "segysak": (segysak, ["segysak", "zarr", "dask"]),
    "tiledb-segy": (tiledb, ["tiledb"]),
    "mdio": (mdio, ["mdio"]),
}


def main():
    if sys.argv[1:] == ["--list"]:
        for name, (_, modules) in PEERS.items():
            if all(importlib.util.find_spec(module) for module in modules):
                print(name)
    else:
        name, source, out = sys.argv[1:]
        PEERS[name][0](source, out)


if __name__ == "__main__":
    main()
