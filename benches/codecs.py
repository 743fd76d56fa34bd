#!/usr/bin/env python3
"""Measures codecs: how much of the samples stays, and the CPU time to pack and unpack them.

    PYTHON benches/codecs.py [--program target/release/segy-import] [--directory DIR] [--rounds N] [FILE.sgy ...]

PYTHON has numcodecs. Two surveys are generated in DIR, poststack and shots of 160 and 80 MB; further files may be given. Prints the stored
bytes of each file by the bytes of its samples, and for the poststack GB of samples for each second of CPU: packing is what an
import takes beyond one without codec, unpacking is numcodecs on one core. Best of N rounds, in which all codecs take turns.
"""
import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import tempfile
import time

import numcodecs

CODECS = ["none", "lz4", "lz4-bit", "zstd:1", "zstd:2", "zstd:3", "zstd:5", "zstd-plain", "gzip"]
MADE = {
    "poststack": ["--kind", "poststack", "--traces", "40000", "--samples", "1000"],
    "shots": ["--kind", "shots", "--traces", "20000", "--samples", "1000"],
}


def imported(program, source, out, codec):
    """CPU seconds of an import in one process."""
    shutil.rmtree(out, ignore_errors=True)
    command = [program, source, out, "--codec", codec, "--gather", "none", "--workers", "1", "--progress", "none", "--no-sync"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(after[:2]) - sum(before[:2])


def chunks(out):
    """The paths of all chunks, and the bytes of all samples."""
    with open(os.path.join(out, "traces.zarr", "zarr.json")) as file:
        array = json.load(file)
    bits = int(array["data_type"].strip("abcdefghijklmnopqrstuvwxyz"))
    found = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(out, "traces.zarr", "c")) for name in names]
    return found, math.prod(array["shape"]) * bits // 8


def unpacked(paths, codec):
    """CPU seconds of numcodecs for these chunks, which end with a checksum of four bytes."""
    decode = numcodecs.blosc.decompress
    decode = {"gzip": numcodecs.GZip().decode, "zstd-plain": numcodecs.Zstd().decode}.get(codec, decode)
    seconds = 0
    for path in paths:
        with open(path, "rb") as file:
            stored = file.read()[:-4]
        before = time.process_time()
        decode(stored)
        seconds += time.process_time() - before
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--directory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    numcodecs.blosc.set_nthreads(1)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        out = os.path.join(directory, "out")
        sources = {os.path.basename(path): path for path in options.files}
        for name, arguments in MADE.items():
            sources[name] = os.path.join(directory, f"{name}.sgy")
            subprocess.run([options.program, "generate", sources[name], *arguments], check=True, stderr=subprocess.DEVNULL)
        shares = {codec: {} for codec in CODECS}
        packing, unpacking = ({codec: [] for codec in CODECS} for _ in range(2))
        for name, path in sources.items():
            for i in range(options.rounds if name == "poststack" else 1):
                for codec in CODECS:
                    seconds = imported(options.program, path, out, codec)
                    found, n_bytes = chunks(out)
                    shares[codec][name] = sum(os.path.getsize(chunk) for chunk in found) / n_bytes
                    if name == "poststack":
                        packing[codec].append(seconds)
                        if codec != "none":
                            unpacking[codec].append(unpacked(found, codec))
                        of_rates = n_bytes
        print(f"{'codec':12}" + "".join(f"{name[:16]:>18}" for name in sources) + f"{'packed, GB/s':>16}{'unpacked, GB/s':>16}")
        for codec in CODECS:
            line = f"{codec:12}" + "".join(f"{shares[codec][name]:18.3f}" for name in sources)
            if codec != "none":
                more = min(packing[codec]) - min(packing["none"])
                line += f"{of_rates / more / 1e9:16.2f}{of_rates / min(unpacking[codec]) / 1e9:16.2f}"
            print(line)


if __name__ == "__main__":
    main()
