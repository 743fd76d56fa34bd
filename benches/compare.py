#!/usr/bin/env python3
"""Measures this tool and other SEG-Y readers on the same generated file, in turn.

    benches/compare.py [--program target/release/segy-import] [--peers PYTHON] [--directory DIR] [--traces N] [--rounds N]

PYTHON is the interpreter of an environment with any of multidimio, segyio and zarr, segysak, tiledb-segy, openvds:

    python3 -m venv peers && peers/bin/pip install multidimio segyio zarr segysak tiledb-segy openvds
    benches/compare.py --peers peers/bin/python

Tools that are not installed are left out of the table; those that fail are named below it. Makes a poststack survey of 1.1 GB
(IBM float32, 1000 samples) in DIR. In each round all tools run in turn, with a warm cache and everything synced beforehand; none
waits for the disk. Prints medians of wall time, its ratio to cp in the same round, and CPU seconds; the peak resident memory of
any one process; and bytes written relative to the file.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from whole_run import measure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--peers", help="a Python that has them")
    parser.add_argument("--directory", help="where to work; a temporary directory if not given")
    parser.add_argument("--traces", type=int, default=260_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        source, copy, out = (os.path.join(directory, name) for name in ("in.sgy", "copy", "out"))
        subprocess.run([options.program, "generate", source, "--traces", str(options.traces), "--samples", "1000"], check=True)
        ours = [options.program, source, out, "--workers", "2", "--progress", "none", "--no-sync"]
        commands = {
            "cp": (["cp", source, copy], copy),
            "segy-import, no codec": ([*ours, "--codec", "none"], out),
            "segy-import": (ours, out),
        }
        for name in peers(options.peers):
            commands[name] = ([options.peers, script(), name, source, out], out)
        runs = {name: [] for name in commands}
        failed = {}
        for _ in range(options.rounds):
            for name, (command, target) in commands.items():
                if name not in failed:
                    try:
                        runs[name].append(measure(command, target))
                    except SystemExit as e:
                        failed[name] = str(e).strip().splitlines()[-1]
        report(options, os.path.getsize(source), runs, failed)


def script():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers.py")


def peers(python):
    if python is None:
        return []
    return subprocess.run([python, script(), "--list"], check=True, capture_output=True, text=True).stdout.split()


def report(options, n_bytes, runs, failed):
    print(f"{n_bytes / 1e9:.2f} GB, {options.traces} traces of 1000 samples, IBM float32, {options.rounds} rounds, medians\n")
    print("| | wall s | × cp | CPU s | peak MiB | bytes out |")
    print("|---|---|---|---|---|---|")
    for name, results in runs.items():
        if results and name not in failed:
            ratio = statistics.median(r[0] / c[0] for r, c in zip(results, runs["cp"]))
            print(f"| {name} | {statistics.median(r[0] for r in results):.2f} | {ratio:.2f} | "
                  f"{statistics.median(r[1] for r in results):.1f} | {max(r[2] for r in results) / 2**20:.0f} | "
                  f"{results[0][4] / n_bytes:.2f} |")
    for name, why in failed.items():
        print(f"\n{name} failed: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
