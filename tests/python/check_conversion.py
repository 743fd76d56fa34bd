"""Checks that exported files are others in a new sample format and byte order: CASES.json names both, for each."""

import json
import sys

import numpy as np

from segy_reference import SAMPLE_FORMATS, TRACE_FIELDS, Segy, ibm_to_float64

BYTE_ORDER_MARK = 0x01020304


def values(segy, sample_format):
    """The samples with their exact values: as Python integers or doubles."""
    return ibm_to_float64(segy.words) if SAMPLE_FORMATS[sample_format] == "ibm" else segy.words


def half_steps(segy, sample_format):
    """Half the distance of each sample from the next larger one that its format has."""
    kind = SAMPLE_FORMATS[sample_format]
    if kind == "ibm":
        return 16.0 ** (((segy.words >> 24) & 0x7F).astype(np.float64) - 64) / 2.0**25
    return np.spacing(np.abs(segy.words)).astype(np.float64) / 2 if kind.startswith("f") else np.full(segy.words.shape, 0.5)


def exact(samples):
    """As Python numbers; what is no number is None, which is equal to itself."""
    return [None if value != value else value for value in samples.ravel().tolist()]


def check_samples(old, new, case):
    before, after = values(old, case["old_format"]), values(new, case["new_format"])
    assert before.shape == after.shape, (before.shape, after.shape)
    if not case["round"]:
        # Element by element in Python, which compares integers and doubles by their exact values.
        assert exact(before) == exact(after)
        return
    error = np.abs(before.astype(np.float64) - after.astype(np.float64))
    assert (error <= half_steps(new, case["new_format"])).all(), error.max()


def check_headers(old, new, case):
    assert old.n_traces == new.n_traces
    assert (old.bytes[:3200] == new.bytes[:3200]).all()
    assert new.binary(3225, "i2") == case["new_format"]
    for first_byte, kind in [(3205, "i4"), (3213, "i2"), (3217, "u2"), (3221, "u2"), (3255, "i2"), (3503, "i2")]:
        assert old.binary(first_byte, kind) == new.binary(first_byte, kind), first_byte
    assert old.major_revision == new.major_revision == case["major_revision"]
    if case["major_revision"] >= 2:
        assert new.binary(3297, "u4") == BYTE_ORDER_MARK
    for name, first_byte, kind, _, (first, last) in TRACE_FIELDS:
        if not first <= case["major_revision"] <= last:
            continue
        if name.startswith("unassigned") or kind.startswith("S"):
            place = slice(first_byte - 1, first_byte - 1 + (8 if kind.startswith("S") else 4))
            assert (old.headers[:, place] == new.headers[:, place]).all(), name
        else:
            assert (old.field(first_byte, kind) == new.field(first_byte, kind)).all(), name


def check(case):
    first, last = case["traces"]
    old = Segy(case["old"], case["old_format"], case["old_order"], case["n_samples"])
    new = Segy(case["new"], case["new_format"], case["new_order"], case["n_samples"])
    old.headers, old.words = old.headers[first:last], old.words[first:last]
    old.n_traces = last - first
    check_headers(old, new, case)
    check_samples(old, new, case)


for case in json.load(open(sys.argv[1])):
    try:
        check(case)
    except AssertionError as error:
        raise AssertionError(case) from error
