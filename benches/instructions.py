#!/usr/bin/env python3
"""Counts the instructions of an import: a guard against slowdowns that does not depend on the machine's load.

    benches/instructions.py [--program target/release/segy-import] [--check]

Imports a small synthetic survey in one process under `valgrind --tool=callgrind`, whose counts vary by less than a part in a
thousand, and prints instructions per sample or trace, counted over the second half of the survey to leave out startup and
planning. --check fails if a count is a third above the one in the table below.
Needs valgrind and python3.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

N_TRACES, N_SAMPLES = 4000, 500
MARGIN = 1.33
# (options, unit of counting, instructions in the dev profile, in the release profile)
# The dev profile does not optimise across codegen units.
CASES = {
    "IBM float32, no codec": (["--codec", "none"], "sample", 60, 10),
    "IBM float32, default codec": ([], "sample", 126, 49),
    "headers alone": (["--headers-only"], "trace", 12_800, 4_020),
}


def instructions(command):
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], capture_output=True, text=True
    )
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)}: {run.stderr}")
    return int(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/segy-import")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    profile = 0 if "debug" in options.program else 1
    too_many = []
    with tempfile.TemporaryDirectory() as directory:
        def count(n_traces, arguments):
            source = os.path.join(directory, f"{n_traces}.sgy")
            if not os.path.exists(source):
                made = ["--traces", str(n_traces), "--samples", str(N_SAMPLES)]
                subprocess.run([options.program, "generate", source, *made], check=True)
            out = os.path.join(directory, "out")
            return instructions([options.program, source, out, "--overwrite", "--progress", "none", *arguments])

        for name, (arguments, unit, *expected) in CASES.items():
            n = N_TRACES // 2 * (N_SAMPLES if unit == "sample" else 1)
            found = (count(N_TRACES, arguments) - count(N_TRACES // 2, arguments)) / n
            print(f"{name:28} {found:8.1f} instructions per {unit}, {expected[profile]} when last written down")
            if found > expected[profile] * MARGIN:
                too_many.append(name)
        print(f"{'start':28} {count(1, []) / 1e6:8.1f} million instructions for a survey of one trace")
    if options.check and too_many:
        sys.exit(f"a third more instructions than written down: {', '.join(too_many)}")


if __name__ == "__main__":
    main()
