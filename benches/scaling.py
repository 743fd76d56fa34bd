#!/usr/bin/env python3
"""Measures how an import scales with the number of traces and of workers.

    benches/scaling.py [--program target/release/segy-import] [--directory DIR] [--traces 10000 … 10000000]
                       [--workers 1 2 4 8 16] [--calls]

Makes surveys of int16 samples, 100 per trace, in DIR and imports each with each number of workers; if there are more workers
than cores, they share them. Prints for each run: wall time, CPU seconds of all processes and of the coordinator alone (sampled,
so the last hundredths are missing), CPU microseconds per trace, and peak resident memory of any one process. The cache is warm
and nothing waits for the disk. --calls counts the system calls of all processes with strace, in a separate run.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

SAMPLES = 100


def measure(command):
    """-> (wall s, CPU s, CPU s of the first process, peak resident bytes)"""
    os.sync()
    start = time.perf_counter()
    child = subprocess.Popen(command)
    own = [0.0]
    watcher = threading.Thread(target=watch, args=(child.pid, own))
    watcher.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return wall, usage.ru_utime + usage.ru_stime, own[0], usage.ru_maxrss * 1024


def watch(pid, own):
    tick = os.sysconf("SC_CLK_TCK")
    while True:
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return
        if fields[0] == "Z":
            return
        own[0] = (int(fields[11]) + int(fields[12])) / tick
        time.sleep(0.01)


def system_calls(command):
    with tempfile.NamedTemporaryFile("r") as summary:
        subprocess.run(["strace", "-f", "-c", "-o", summary.name, *command], check=True)
        total = re.findall(r"^100\.00\s+\S+\s+\S*\s+(\d+).*total$", summary.read(), re.MULTILINE)
        return int(total[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--directory", help="where to work; a temporary directory if not given")
    parser.add_argument("--traces", type=int, nargs="*", default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8, 16])
    parser.add_argument("--calls", action="store_true")
    options = parser.parse_args()
    print("| traces | workers | wall s | CPU s | coordinator | CPU µs per trace | peak MiB |" + (" calls |" if options.calls else ""))
    print("|---|---|---|---|---|---|---|" + ("---|" if options.calls else ""))
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        source, out = os.path.join(directory, "in.sgy"), os.path.join(directory, "out")
        for n in options.traces:
            survey = ["generate", source, "--traces", str(n), "--samples", str(SAMPLES), "--format", "3", "--overwrite"]
            subprocess.run([options.program, *survey], check=True, stderr=subprocess.DEVNULL)
            for workers in options.workers:
                command = [options.program, source, out, "--workers", str(workers), "--parallel-threshold", "0",
                           "--no-sync", "--progress", "none", "--overwrite"]
                wall, cpu, own, peak = measure(command)
                row = f"| {n} | {workers} | {wall:.2f} | {cpu:.2f} | {own:.2f} | {1e6 * cpu / n:.2f} | {peak / 2**20:.0f} |"
                print(row + (f" {system_calls(command)} |" if options.calls else ""), flush=True)
                shutil.rmtree(out)


if __name__ == "__main__":
    main()
