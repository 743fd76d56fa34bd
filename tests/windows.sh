#!/usr/bin/env bash
# Runs the program for Windows: in wine, or on Windows itself. Survey, datasets and exports have to be the same bytes as those
# of the program for this system, if there is one to compare with.
#
# bash tests/windows.sh [PROGRAM.exe [PROGRAM TO COMPARE WITH]]
# Without the first, it is built for x86_64-pc-windows-gnu: that takes rustup's target of that name, MinGW-w64 and wine
# (Debian: gcc-mingw-w64-x86-64-posix g++-mingw-w64-x86-64-posix wine64). Where one of them is missing, nothing is run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${1:-}
reference=${2:-}
target=x86_64-pc-windows-gnu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skip() {
    echo "skipped: $1 is missing" >&2
    exit 0
}

fail() {
    echo "FAILED: $1" >&2
    exit 1
}

is_windows() { [ "${OS:-}" = Windows_NT ]; }

if [ -z "$program" ]; then
    command -v x86_64-w64-mingw32-g++ >/dev/null || skip MinGW-w64
    rustup target list --installed | grep -qx "$target" || skip "the target $target"
    (cd "$root" && cargo build --locked --target "$target")
    program=${CARGO_TARGET_DIR:-$root/target}/$target/debug/segy-import.exe
fi
program=$(realpath "$program")
[ -z "$reference" ] || reference=$(realpath "$reference")

# Wine, in a configuration of its own, with what it or a program built by MinGW may lack: the C++ library, and the system's
# library of random numbers, which wine has from 9 on.
prepare_wine() {
    command -v wine >/dev/null || skip wine
    export WINEPREFIX=$work/wine WINEDEBUG=-all WINEPATH=Z:$work/libraries
    mkdir "$work/libraries"
    local library
    for library in libstdc++-6.dll libgcc_s_seh-1.dll libwinpthread-1.dll; do
        library=$(x86_64-w64-mingw32-g++ -print-file-name="$library")
        [ ! -f "$library" ] || cp "$library" "$work/libraries"
    done
    wineboot --init >/dev/null 2>&1 || true
    if [ ! -e "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" ]; then
        cat >"$work/random.c" <<'END'
#include <windows.h>
BOOLEAN WINAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T n) { return SystemFunction036(bytes, (ULONG)n); }
END
        x86_64-w64-mingw32-gcc -shared -o "$work/libraries/bcryptprimitives.dll" "$work/random.c" -ladvapi32
    fi
}

# Runs the program; its exit code is this one's.
run() {
    if is_windows; then "$program" "$@"; else timeout 300 wine "$program" "$@"; fi
}

# ends CODE ARGUMENTS...: the program ends with that exit code.
ends() {
    local code=0 expected=$1
    shift
    run "$@" >"$work/out" 2>&1 || code=$?
    [ "$code" = "$expected" ] || fail "exit code $code, not $expected: segy-import $*: $(cat "$work/out")"
}

# Two files, or two datasets, have the same bytes. An empty staging area may stay, where the name of an open file cannot be
# removed.
same() {
    local one
    for one in "$@"; do
        if [ -d "$one/.segy-import" ]; then rmdir "$one/.segy-import" || fail "$one: its staging area is not empty"; fi
    done
    diff -rq "$1" "$2" || fail "$1 and $2 differ"
}

is_windows || prepare_wine
cd "$work"

ends 0 --version
ends 0 generate in.sgy --traces 4000 --samples 250
ends 0 inspect in.sgy
ends 0 in.sgy one.zarr
ends 0 in.sgy several.zarr --parallel-threshold 1 --workers 2 --verify
same several.zarr one.zarr
ends 0 verify several.zarr
ends 0 export several.zarr out.sgy
same out.sgy in.sgy
ends 0 in.sgy grid.zarr --grid=inline,crossline
ends 0 export grid.zarr of_grid.sgy
same of_grid.sgy in.sgy
ends 0 in.sgy grid.zarr --overwrite --parallel-threshold 1 --workers 2
same grid.zarr one.zarr
ends 0 in.sgy grid.zarr --overwrite --grid=inline,crossline --precision 60
ends 0 report in.sgy -o page.html

if [ -n "$reference" ]; then
    "$reference" generate reference.sgy --traces 4000 --samples 250 >/dev/null
    same in.sgy reference.sgy
    "$reference" in.sgy reference.zarr >/dev/null
    same one.zarr reference.zarr
    "$reference" in.sgy reference_grid.zarr --grid=inline,crossline --precision 60 >/dev/null
    same grid.zarr reference_grid.zarr
    "$reference" report in.sgy -o reference.html
    same page.html reference.html
fi

ends 2 --no-such-option
ends 3 nothing.sgy x.zarr
echo "a text" >text.sgy
ends 3 text.sgy x.zarr
head -c 10000 in.sgy >short.sgy
ends 3 short.sgy x.zarr
[ ! -e x.zarr ] || rmdir x.zarr/.segy-import x.zarr || fail "a refused import leaves files"
ends 4 in.sgy one.zarr
ends 4 export one.zarr out.sgy
printf x | dd of=one.zarr/headers.parquet bs=1 seek=1000 conv=notrunc status=none
ends 5 verify one.zarr

# Starts an import of two workers that takes seconds, as the job $!, and waits until they have begun.
start_import() {
    if is_windows; then
        "$program" big.sgy "$1" --workers 2 >"$work/out" 2>&1 &
    else
        wine "$program" big.sgy "$1" --workers 2 >"$work/out" 2>&1 &
    fi
    until [ -n "$(ls "$1/.segy-import/attempts" 2>/dev/null)" ]; do
        kill -0 $! || fail "the import did not begin: $(cat "$work/out")"
        sleep 0.1
    done
}

workers() {
    if is_windows; then tasklist | grep -c segy-import; else pgrep -cf "worker --plan killed.zarr"; fi
}

ends 0 generate big.sgy --traces 200000 --samples 500
start_import killed.zarr
ends 4 in.sgy killed.zarr
if is_windows; then taskkill //F //PID "$(cat "/proc/$!/winpid")" >/dev/null; else kill -9 $!; fi
wait $! || true
for _ in {1..50}; do
    [ "$(workers || true)" != 0 ] || break
    sleep 0.1
done
[ "$(workers || true)" = 0 ] || fail "workers survive the import that was killed"
ends 0 big.sgy killed.zarr --workers 2 --verify

# Git's shell on Windows cannot send Ctrl-C to a program that is no child of a console.
if ! is_windows; then
    start_import stopped.zarr
    kill -INT $!
    code=0
    wait $! || code=$?
    [ "$code" = 130 ] || fail "exit code $code after Ctrl-C: $(cat "$work/out")"
    grep -q "stopped by Ctrl-C" "$work/out" || fail "Ctrl-C is not named: $(cat "$work/out")"
    ends 0 big.sgy stopped.zarr --workers 2
    same stopped.zarr killed.zarr
fi
echo "Windows: all is well"
