#!/usr/bin/env bash
# Builds the Python wheel around the program of the tests, installs it into a fresh environment, and runs the module's tests
# against it. Needs Python 3.10 or later with venv, and the network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/build"
"$work/build/bin/pip" install --quiet "maturin>=1.10,<2"
(cd python && PATH="$work/build/bin:$PATH" maturin build --locked --profile dev --out "$work/dist")
python3 -m venv "$work/fresh"
"$work/fresh/bin/pip" install --quiet "$(echo "$work"/dist/*.whl)[xarray,progress]" "$@"
env -u SEGY_IMPORT_PROGRAM -u PYTHONPATH "$work/fresh/bin/python" python/tests/test_module.py
