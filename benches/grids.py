#!/usr/bin/env python3
"""Measures the import of grids: surveys of several geometries, with and without codec, beside cp and MDIO.

    PYTHON benches/grids.py [--program target/release/segy-import] [--directory DIR] [--rounds N] [--scale X] [--mdio] [CASE ...]

PYTHON needs numpy, and for --mdio the package multidimio. A survey of about 1.1 GB times X is made in DIR for each case. In each
round all run in turn, with a warm cache, synced beforehand; none waits for the disk. MDIO runs once, with 2 processes. Prints
medians of wall time and their ratios to cp in the same round, the peak resident memory of any one process, the share of an import
that is not the conversion, and the bytes of the dataset relative to the file.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

from whole_run import measure

FILE_HEADER = 3600
# Name: traces, samples, format, further options of generate, keys of the grid, order of the traces, MDIO's template.
CASES = {
    "poststack": (160_000, 1650, 1, [], "inline,crossline", "file", "PostStack3DTime"),
    "crossline-sorted": (160_000, 1650, 1, [], "inline,crossline", "transposed", "PostStack3DTime"),
    "shuffled": (160_000, 1650, 1, [], "inline,crossline", "shuffled", "PostStack3DTime"),
    "6,000 samples": (44_100, 6000, 1, [], "inline,crossline", "file", "PostStack3DTime"),
    "prestack cdp,offset": (160_000, 1650, 1, ["--fold", "20", "--set", "offset=50*trace_number_cdp"], "cdp,offset", "file",
                            "CdpOffsetGathers2DTime"),
    "prestack cdp,trace": (160_000, 1650, 1, [], "cdp,trace", "file", None),
    "12 million traces": (12_000_000, 100, 3, [], "inline,crossline", "file", None),
}


def lines(n):
    """The numbers of inlines and crosslines of about n traces, neither far from the other."""
    side = round(n ** 0.5)
    return side, n // side


def make(program, path, case, scale):
    """Writes the survey of a case; returns its number of traces."""
    n_traces, n_samples, format_code, more, _, order, _ = CASES[case]
    n_inlines, n_crosslines = lines(int(n_traces * scale))
    if "prestack" in case:
        geometry = ["--kind", "prestack", "--traces", str(int(n_traces * scale))]
        if "--fold" in more:
            geometry = ["--kind", "prestack", "--inlines", "1:1", "--crosslines", f"1:{int(n_traces * scale) // 20}"]
    else:
        geometry = ["--inlines", f"1:{n_inlines}", "--crosslines", f"1:{n_crosslines}"]
    subprocess.run([program, "generate", path, *geometry, "--samples", str(n_samples), "--format", str(format_code), *more], check=True)
    stride = 240 + n_samples * {1: 4, 3: 2}[format_code]
    n = (os.path.getsize(path) - FILE_HEADER) // stride
    if order != "file":
        # In a process of its own: a child counts the memory of its parent as its own.
        rearrange = [sys.executable, os.path.abspath(__file__), "--rearrange", path, order, n, stride, n_inlines]
        subprocess.run([str(argument) for argument in rearrange], check=True)
    return n


def rearrange(path, order, n, stride, n_inlines):
    """Writes the traces of a file in another order."""
    traces = np.memmap(path, dtype=np.uint8, mode="r+", offset=FILE_HEADER, shape=(n, stride))
    transposed = np.arange(n).reshape(n_inlines, n // n_inlines).T.ravel()
    numbers = transposed if order == "transposed" else np.random.default_rng(1).permutation(n)
    original = np.array(traces)
    for first in range(0, n, 4096):
        traces[first:first + 4096] = original[numbers[first:first + 4096]]
    traces.flush()


def mdio(source, out, template):
    from mdio import segy_to_mdio
    from mdio.builder.template_registry import TemplateRegistry
    from segy.schema import HeaderField
    from segy.standards import get_segy_standard
    os.environ["MDIO__IMPORT__CPU_COUNT"] = "2"
    fields = [HeaderField(name="cdp", byte=21, format="int32"), HeaderField(name="offset", byte=37, format="int32")]
    spec = get_segy_standard(1.0).customize(trace_header_fields=fields)
    segy_to_mdio(segy_spec=spec, mdio_template=TemplateRegistry().get(template), input_path=source,
                 output_path=out, overwrite=True)


def run(options, case, directory):
    source, copy, out = (os.path.join(directory, name) for name in ("in.sgy", "copy", "out"))
    n_traces = make(options.program, source, case, options.scale)
    n_bytes = os.path.getsize(source)
    ours = [options.program, source, out, "--grid", CASES[case][4], "--workers", "2", "--progress", "json", "--no-sync"]
    commands = {"cp": ["cp", source, copy], "none": [*ours, "--codec", "none"], "default": ours}
    runs, ends = {name: [] for name in commands}, []
    for round_number in range(options.rounds + 1):
        for name, command in commands.items():
            result = measure(command, copy if name == "cp" else out)
            if round_number > 0:
                runs[name].append(result)
                if name == "default":
                    done = json.loads(result[3].splitlines()[-1])
                    ends.append(1 - done["phases_s"]["importing"] / done["elapsed_s"])
    if CASES[case][6] and options.mdio:
        runs["MDIO"] = [measure([sys.executable, os.path.abspath(__file__), "--one", source, out, CASES[case][6]], out)]
    wall = {name: statistics.median(r[0] for r in results) for name, results in runs.items()}
    print(f"{case}: {n_traces} traces, {n_bytes / 1e9:.2f} GB, cp {wall['cp']:.2f} s")
    for name, results in runs.items():
        if name != "cp":
            ratio = statistics.median(r[0] / c[0] for r, c in zip(results, runs["cp"]))
            peak = max(r[2] for r in results) / 2**20
            share = f", {100 * statistics.median(ends):.1f} % before and after" if name == "default" else ""
            faster = f", {wall['MDIO'] / wall[name]:.0f} x as fast as MDIO" if "MDIO" in wall and name != "MDIO" else ""
            print(f"  {name:8} {wall[name]:7.2f} s, {ratio:6.2f} x cp, {peak:5.0f} MiB, size {results[-1][4] / n_bytes:.3f}{share}{faster}",
                  flush=True)


def main():
    if sys.argv[1:2] == ["--one"]:
        return mdio(*sys.argv[2:])
    if sys.argv[1:2] == ["--rearrange"]:
        return rearrange(*sys.argv[2:4], *map(int, sys.argv[4:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--directory", help="where to work; a temporary directory if not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--mdio", action="store_true")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    options = parser.parse_args()
    for case in options.cases or CASES:
        with tempfile.TemporaryDirectory(dir=options.directory) as directory:
            run(options, case, directory)


if __name__ == "__main__":
    main()
