#!/bin/sh
# The compiler for cargo: gives this program and the fuzz targets the coverage counters that libFuzzer reads, which
# stable Rust has no option of its own for. Dependencies are compiled as ever.
for argument in "$@"; do
    case "$previous $argument" in
    "--crate-name segy_import" | "--crate-name layout" | "--crate-name plan" | "--crate-name lines")
        exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
            -Cllvm-args=-sanitizer-coverage-trace-compares
        ;;
    esac
    previous=$argument
done
exec "$@"
