#!/usr/bin/env python3
"""Measures what reading costs: a grid, datasets in chunks for each of --access, and what else can be read here, side by side.

    PYTHON benches/reads.py [--program target/release/segy-import] [--directory DIR] [--traces N] [--samples N] [--rounds N]

PYTHON has zarr, and those of tensorstore, segyio and mdio that are to be measured; target/tmp/python/bin/python, which the tests
make, has the first three. A poststack survey of 1.1 GB (160,000 IBM traces of 1650 samples) is made in DIR, and imported in each way.
One process reads; the cache is warm. In each round every pattern is read once at a random place, the same for all. Prints medians in
milliseconds, and the MB decoded, which follow from the chunks.
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
import zarr

PATTERNS = ["trace", "inline", "crossline", "slice", "cube 64", "cube 128", "32 crops"]


def place(pattern, shape, random):
    """A list of selections, each of inlines, crosslines and samples as (start, end)."""
    def some(length, of):
        start = int(random.integers(0, max(of - length, 0) + 1))
        return start, min(start + length, of)

    inlines, crosslines, samples = shape
    whole = [(0, n) for n in shape]
    return {
        "trace": lambda: [[some(1, inlines), some(1, crosslines), whole[2]]],
        "inline": lambda: [[some(1, inlines), whole[1], whole[2]]],
        "crossline": lambda: [[whole[0], some(1, crosslines), whole[2]]],
        "slice": lambda: [[whole[0], whole[1], some(1, samples)]],
        "cube 64": lambda: [[some(64, n) for n in shape]],
        "cube 128": lambda: [[some(128, n) for n in shape]],
        "32 crops": lambda: [[some(1, inlines), some(128, crosslines), some(256, samples)] for _ in range(32)],
    }[pattern]()


def traces_of(selection, crosslines):
    """The traces of a selection in file order: a slice where they are evenly spaced, as an index otherwise."""
    (i0, i1), (x0, x1), _ = selection
    if i1 - i0 == 1 or x1 - x0 == crosslines:
        return slice(i0 * crosslines + x0, (i1 - 1) * crosslines + x1)
    if x1 - x0 == 1:
        return slice(i0 * crosslines + x0, (i1 - 1) * crosslines + x1, crosslines)
    return (np.arange(i0, i1)[:, None] * crosslines + np.arange(x0, x1)).ravel()


def opened(path, library):
    """A Zarr array, and how to read it by slices."""
    if library == "tensorstore":
        import tensorstore
        array = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}).result()
        return lambda selection: array[selection].read().result()
    array = zarr.open_array(path, mode="r")
    is_index = lambda selection: any(isinstance(part, np.ndarray) for part in selection)
    return lambda selection: array.oindex[selection] if is_index(selection) else array[selection]


class Flat:
    """A dataset of this program in file order."""

    def __init__(self, out, shape, library):
        self.shape, path = shape, os.path.join(out, "traces.zarr")
        self.chunks, self.get = zarr.open_array(path, mode="r").chunks, opened(path, library)

    def read(self, selection):
        return self.get((slice(*selection[2]), traces_of(selection, self.shape[1])))

    def decoded(self, selection):
        traces = traces_of(selection, self.shape[1])
        numbers = np.arange(self.shape[0] * self.shape[1])[traces] if isinstance(traces, slice) else traces
        of_traces = len(np.unique(numbers // self.chunks[1]))
        first, end = selection[2]
        return of_traces * ((end - 1) // self.chunks[0] - first // self.chunks[0] + 1) * self.chunks[0] * self.chunks[1] * 4


class Cube:
    """A grid, of this program or of MDIO."""

    def __init__(self, out, library):
        path = os.path.join(out, "amplitude")
        self.chunks, self.get = zarr.open_array(path, mode="r").chunks, opened(path, library)

    def read(self, selection):
        return self.get(tuple(slice(*part) for part in selection))

    def decoded(self, selection):
        n_chunks = [(end - 1) // n - first // n + 1 for (first, end), n in zip(selection, self.chunks)]
        return int(np.prod(n_chunks) * np.prod(self.chunks)) * 4


class Segyio:
    def __init__(self, source, shape):
        import segyio
        self.file, self.shape = segyio.open(source), shape
        self.file.mmap()

    def read(self, selection):
        (i0, i1), (x0, x1), (s0, s1) = selection
        file, (_, crosslines, samples) = self.file, self.shape
        if s1 - s0 == 1:
            return file.depth_slice[s0]
        if x1 - x0 == 1 and i1 - i0 > 1:
            return file.xline[file.xlines[x0]]
        return np.stack([file.trace.raw[i * crosslines + x0:i * crosslines + x1][:, s0:s1] for i in range(i0, i1)])

    def decoded(self, selection):
        return int(np.prod([end - first for first, end in selection])) * 4


def contenders(options, directory):
    """The readers by name, and the shape of the survey."""
    source = os.path.join(directory, "in.sgy")
    size = ["--traces", str(options.traces), "--samples", str(options.samples)]
    subprocess.run([options.program, "generate", source, "--kind", "poststack", *size], check=True)
    outs = {access: os.path.join(directory, access) for access in ("gathers", "balanced", "slices")}

    def describe(name, start, array):
        seconds = time.perf_counter() - start
        sizes = [os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(array) for f in files]
        share = sum(sizes) / (options.traces * options.samples * 4)
        print(f"{name}: imported in {seconds:.2f} s, {share:.3f} of the samples, {len(sizes)} files")

    def imported(out, *arguments):
        start = time.perf_counter()
        subprocess.run([options.program, source, out, *arguments, "--progress", "none", *options.options], check=True)
        array = "amplitude" if "--grid" in arguments else "traces.zarr"
        describe(" ".join(arguments), start, os.path.join(out, array))

    grid = os.path.join(directory, "grid")
    imported(grid, "--grid", "inline,crossline")
    for access, out in outs.items():
        imported(out, "--access", access)
    with open(os.path.join(outs["gathers"], "metadata.json")) as file:
        ranges = json.load(file)["geometry"]["header_ranges"]
    n_inlines, n_crosslines = (ranges[key][1] - ranges[key][0] + 1 for key in ("inline", "crossline"))
    shape = (n_inlines, n_crosslines, options.samples)
    assert n_inlines * n_crosslines == options.traces, "the last inline is not whole; choose a square number of traces"
    libraries = ["zarr", "tensorstore"] if importlib.util.find_spec("tensorstore") else ["zarr"]
    readers = {f"grid, {library}": Cube(grid, library) for library in libraries}
    readers.update({f"{access}, {library}": Flat(out, shape, library) for access, out in outs.items() for library in libraries})
    if importlib.util.find_spec("mdio"):
        from peers import mdio
        out, start = os.path.join(directory, "mdio"), time.perf_counter()
        mdio(source, out)
        describe("MDIO", start, os.path.join(out, "amplitude"))
        readers.update({f"MDIO, {library}": Cube(out, library) for library in libraries})
    if importlib.util.find_spec("segyio"):
        readers["SEG-Y, segyio mmap"] = Segyio(source, shape)
    return readers, shape


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--directory", help="where to work; a temporary directory if not given")
    parser.add_argument("--traces", type=int, default=160_000)
    parser.add_argument("--samples", type=int, default=1650)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="further options of the imports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        readers, shape = contenders(options, directory)
        times = {(name, pattern): [] for name in readers for pattern in PATTERNS}
        decoded = {}
        for round_number in range(options.rounds + 1):
            for pattern in PATTERNS:
                selections = place(pattern, shape, np.random.default_rng([round_number, PATTERNS.index(pattern)]))
                for name, reader in readers.items():
                    start = time.perf_counter()
                    for selection in selections:
                        reader.read(selection)
                    if round_number > 0:  # the first one warms the cache
                        times[name, pattern].append(1000 * (time.perf_counter() - start))
                    decoded[name, pattern] = sum(reader.decoded(selection) for selection in selections) / 1e6
        print(f"\nms (MB decoded){'':11}" + "".join(f"{pattern:>20}" for pattern in PATTERNS))
        for name in readers:
            cells = [f"{statistics.median(times[name, p]):.1f} ({decoded[name, p]:.1f})" for p in PATTERNS]
            print(f"{name:26}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
