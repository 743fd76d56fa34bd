#!/usr/bin/env python3
"""Measures whole imports against cp of the same file, in turn, and prints ratios.

    benches/whole_run.py [--program target/release/segy-import] [--directory DIR] [--traces N] [--rounds N] [--synced]
    benches/whole_run.py --kind poststack --traces 160000 --samples 1650 --grid inline,crossline

Makes a synthetic survey of 1.1 GB (IBM float32, 1000 samples) in DIR, unless it is there, and in each round runs cp, an
import without compression, and one with the default codec, with a warm cache. Prints for each the median and best wall time,
CPU seconds, peak resident memory of any one process, and bytes written. Like cp, the imports do not wait for the disk; with
--synced all do, cp by a sync after it. "ends" is the share of the run that planning (the scan, for a grid) and merging take.
Needs python3 only.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def measure(command, out):
    """-> (wall s, cpu s, peak resident bytes of one process, stdout, bytes written)"""
    os.sync()  # so that no run pays for data the previous one left unwritten
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{' '.join(command)} failed: {child.stderr.read().decode()}")
    unit = 1 if sys.platform == "darwin" else 1024
    written = size(out)
    put_away(out)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, said.decode(), written


def put_away(out):
    """Empties files instead of deleting them: whenever ext4 creates an inode, it looks at every one deleted in the last half
    minute, which took a tenth of the next import's time."""
    aside = tempfile.mkdtemp(prefix="before-", dir=os.path.dirname(out))
    os.rename(out, os.path.join(aside, "out"))
    for directory, _, files in os.walk(aside):
        for name in files:
            os.truncate(os.path.join(directory, name), 0)


def size(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--directory", help="where to work; a temporary directory if not given")
    parser.add_argument("--traces", type=int, default=260_000)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--format", type=int, default=1)
    parser.add_argument("--kind", default="poststack", help="of survey, as generate names it")
    parser.add_argument("--source", help="a file to import instead of a generated one")
    parser.add_argument("--grid", help="imports a grid over these keys")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--codecs", nargs="*", default=["none", "default"])
    parser.add_argument("--synced", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        source, copy, out = (os.path.join(directory, name) for name in ("in.sgy", "copy", "out"))
        if options.source:
            source = options.source
        else:
            generate = [options.program, "generate", source, "--kind", options.kind, "--traces", str(options.traces)]
            subprocess.run([*generate, "--samples", str(options.samples), "--format", str(options.format)], check=True)
        copying = ["sh", "-c", 'cp "$0" "$1" && sync -f "$1"', source, copy] if options.synced else ["cp", source, copy]
        imports = {"cp": copying}
        for codec in options.codecs:
            chosen = ([] if codec == "default" else ["--codec", codec]) + ([] if options.synced else ["--no-sync"])
            chosen += ["--grid", options.grid] if options.grid else []
            imports[codec] = [options.program, source, out, "--workers", str(options.workers), "--progress", "json", *chosen]
        runs = {name: [] for name in imports}
        shares, written = {}, {}
        for round_number in range(options.rounds + 1):
            for name, command in imports.items():
                target = copy if name == "cp" else out
                result = measure(command, target)
                if round_number == 0:
                    continue  # warms the cache and the disk
                runs[name].append(result[:3])
                written[name] = result[4]
                if name != "cp":
                    done = json.loads(result[3].splitlines()[-1])
                    shares.setdefault(name, []).append(
                        1 - done["phases_s"]["importing"] / done["elapsed_s"])
        report(options, os.path.getsize(source), runs, shares, written)


def report(options, n_bytes, runs, shares, written):
    wall = {name: [r[0] for r in results] for name, results in runs.items()}
    base = statistics.median(wall["cp"])
    rows = {}
    for name, results in runs.items():
        rows[name] = dict(
            wall_s=statistics.median(wall[name]),
            best_s=min(wall[name]),
            cpu_s=statistics.median(r[1] for r in results),
            ratio_to_cp=statistics.median(w / c for w, c in zip(wall[name], wall["cp"])),
            best_ratio=min(wall[name]) / min(wall["cp"]),
            peak_mib=max(r[2] for r in results) / 2**20,
            share_of_ends=statistics.median(shares[name]) if name in shares else None,
            size_ratio=written[name] / n_bytes,
        )
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{n_bytes / 1e9:.2f} GB, {options.traces} traces of {options.samples} samples, format {options.format}, "
          f"{options.workers} workers, {options.rounds} rounds, cp median {base:.2f} s")
    print(f"{'':12} {'wall s':>7} {'best s':>7} {'CPU s':>7} {'x cp':>6} {'best x cp':>9} {'MiB':>6} {'ends':>6} {'size':>5}")
    for name, r in rows.items():
        ends = "" if r["share_of_ends"] is None else f"{100 * r['share_of_ends']:.1f}%"
        print(f"{name:12} {r['wall_s']:7.2f} {r['best_s']:7.2f} {r['cpu_s']:7.2f} {r['ratio_to_cp']:6.2f} {r['best_ratio']:9.2f} "
              f"{r['peak_mib']:6.0f} {ends:>6} {r['size_ratio']:5.2f}")


if __name__ == "__main__":
    main()
