"""Decodes SEG-Y with numpy, sharing nothing with the program under test.

The byte order, the sample format and the number of samples are told, not guessed. Byte numbers count from 1, as in
the standard (SEG-Y rev 2.1, tables 2 and 3).
"""

import numpy as np

TEXTUAL_HEADER_BYTES = 3200
FILE_HEADER_BYTES = 3600
TRACE_HEADER_BYTES = 240

# Sample format code: numpy type of the stored words, "ibm" for IBM single.
SAMPLE_FORMATS = {
    1: "ibm", 2: "i4", 3: "i2", 5: "f4", 6: "f8", 8: "i1", 9: "i8", 10: "u4", 11: "u2", 12: "u8", 16: "u1",
}

# Name, first byte, type, first byte of the scalar, major revisions (first, last).
TRACE_FIELDS = [
    ("trace_sequence_line", 1, "i4", None, (0, 2)),
    ("trace_sequence_file", 5, "i4", None, (0, 2)),
    ("field_record", 9, "i4", None, (0, 2)),
    ("trace_number", 13, "i4", None, (0, 2)),
    ("energy_source_point", 17, "i4", None, (0, 2)),
    ("cdp", 21, "i4", None, (0, 2)),
    ("trace_number_cdp", 25, "i4", None, (0, 2)),
    ("trace_id_code", 29, "i2", None, (0, 2)),
    ("vertically_summed_traces", 31, "i2", None, (0, 2)),
    ("horizontally_stacked_traces", 33, "i2", None, (0, 2)),
    ("data_use", 35, "i2", None, (0, 2)),
    ("offset", 37, "i4", None, (0, 2)),
    ("receiver_elevation", 41, "i4", 69, (0, 2)),
    ("source_elevation", 45, "i4", 69, (0, 2)),
    ("source_depth", 49, "i4", 69, (0, 2)),
    ("receiver_datum_elevation", 53, "i4", 69, (0, 2)),
    ("source_datum_elevation", 57, "i4", 69, (0, 2)),
    ("source_water_depth", 61, "i4", 69, (0, 2)),
    ("receiver_water_depth", 65, "i4", 69, (0, 2)),
    ("elevation_scalar", 69, "i2", None, (0, 2)),
    ("coordinate_scalar", 71, "i2", None, (0, 2)),
    ("source_x", 73, "i4", 71, (0, 2)),
    ("source_y", 77, "i4", 71, (0, 2)),
    ("receiver_x", 81, "i4", 71, (0, 2)),
    ("receiver_y", 85, "i4", 71, (0, 2)),
    ("coordinate_unit", 89, "i2", None, (0, 2)),
    ("weathering_velocity", 91, "i2", None, (0, 2)),
    ("subweathering_velocity", 93, "i2", None, (0, 2)),
    ("source_uphole_time", 95, "i2", None, (0, 2)),
    ("group_uphole_time", 97, "i2", None, (0, 2)),
    ("source_static_correction", 99, "i2", None, (0, 2)),
    ("receiver_static_correction", 101, "i2", None, (0, 2)),
    ("total_static_applied", 103, "i2", None, (0, 2)),
    ("lag_time_a", 105, "i2", None, (0, 2)),
    ("lag_time_b", 107, "i2", None, (0, 2)),
    ("delay_recording_time", 109, "i2", None, (0, 2)),
    ("mute_time_start", 111, "i2", None, (0, 2)),
    ("mute_time_end", 113, "i2", None, (0, 2)),
    ("sample_count", 115, "u2", None, (0, 2)),
    ("sample_interval", 117, "u2", None, (0, 2)),
    ("instrument_gain_type", 119, "i2", None, (0, 2)),
    ("instrument_gain_const", 121, "i2", None, (0, 2)),
    ("instrument_gain_initial", 123, "i2", None, (0, 2)),
    ("correlated_data", 125, "i2", None, (0, 2)),
    ("sweep_freq_start", 127, "i2", None, (0, 2)),
    ("sweep_freq_end", 129, "i2", None, (0, 2)),
    ("sweep_length", 131, "i2", None, (0, 2)),
    ("sweep_type", 133, "i2", None, (0, 2)),
    ("sweep_taper_start", 135, "i2", None, (0, 2)),
    ("sweep_taper_end", 137, "i2", None, (0, 2)),
    ("taper_type", 139, "i2", None, (0, 2)),
    ("alias_filter_freq", 141, "i2", None, (0, 2)),
    ("alias_filter_slope", 143, "i2", None, (0, 2)),
    ("notch_filter_freq", 145, "i2", None, (0, 2)),
    ("notch_filter_slope", 147, "i2", None, (0, 2)),
    ("low_cut_freq", 149, "i2", None, (0, 2)),
    ("high_cut_freq", 151, "i2", None, (0, 2)),
    ("low_cut_slope", 153, "i2", None, (0, 2)),
    ("high_cut_slope", 155, "i2", None, (0, 2)),
    ("year_recorded", 157, "i2", None, (0, 2)),
    ("day_of_year", 159, "i2", None, (0, 2)),
    ("hour_of_day", 161, "i2", None, (0, 2)),
    ("minute_of_hour", 163, "i2", None, (0, 2)),
    ("second_of_minute", 165, "i2", None, (0, 2)),
    ("time_basis_code", 167, "i2", None, (0, 2)),
    ("trace_weighting_factor", 169, "i2", None, (0, 2)),
    ("geophone_group_roll1", 171, "i2", None, (0, 2)),
    ("geophone_group_first", 173, "i2", None, (0, 2)),
    ("geophone_group_last", 175, "i2", None, (0, 2)),
    ("gap_size", 177, "i2", None, (0, 2)),
    ("over_travel", 179, "i2", None, (0, 2)),
    ("cdp_x", 181, "i4", 71, (0, 2)),
    ("cdp_y", 185, "i4", 71, (0, 2)),
    ("inline", 189, "i4", None, (0, 2)),
    ("crossline", 193, "i4", None, (0, 2)),
    ("shot_point", 197, "i4", 201, (0, 2)),
    ("shot_point_scalar", 201, "i2", None, (0, 2)),
    ("trace_value_unit", 203, "i2", None, (0, 2)),
    ("transduction_const_mantissa", 205, "i4", None, (0, 2)),
    ("transduction_const_exponent", 209, "i2", None, (0, 2)),
    ("transduction_unit", 211, "i2", None, (0, 2)),
    ("device_trace_id", 213, "i2", None, (0, 2)),
    ("times_scalar", 215, "i2", None, (0, 2)),
    ("source_type_orientation", 217, "i2", None, (0, 2)),
    ("source_energy_dir_mantissa", 219, "i4", None, (0, 1)),
    ("source_energy_dir_exponent", 223, "i2", None, (0, 1)),
    ("source_energy_dir_vertical", 219, "i2", None, (2, 2)),
    ("source_energy_dir_crossline", 221, "i2", None, (2, 2)),
    ("source_energy_dir_inline", 223, "i2", None, (2, 2)),
    ("source_measurement_mantissa", 225, "i4", None, (0, 2)),
    ("source_measurement_exponent", 229, "i2", None, (0, 2)),
    ("source_measurement_unit", 231, "i2", None, (0, 2)),
    ("unassigned_233", 233, "i4", None, (0, 1)),
    ("unassigned_237", 237, "i4", None, (0, 1)),
    ("trace_header_name", 233, "S8", None, (2, 2)),
]


class Segy:
    """The traces of a file: `samples` as (trace, sample), `headers` as (trace, 240) bytes."""

    def __init__(self, path, sample_format, byte_order, n_samples):
        self.prefix = {"big": ">", "little": "<"}[byte_order]
        self.bytes = np.fromfile(path, np.uint8)
        kind = SAMPLE_FORMATS[sample_format]
        self.stored = np.dtype("u4" if kind == "ibm" else kind).newbyteorder(self.prefix)
        stride = TRACE_HEADER_BYTES + n_samples * self.stored.itemsize
        data = self.bytes[FILE_HEADER_BYTES:]
        if data.size % stride:
            raise ValueError(f"{path}: {data.size} bytes after the file header are not whole traces of {stride} bytes")
        traces = data.reshape(-1, stride)
        self.headers = np.ascontiguousarray(traces[:, :TRACE_HEADER_BYTES])
        words = np.ascontiguousarray(traces[:, TRACE_HEADER_BYTES:]).view(self.stored)
        self.is_exact = kind != "ibm"
        native = words.astype(self.stored.newbyteorder("="))
        self.words = native
        self.samples = native if self.is_exact else nearest_float32(ibm_to_float64(native))
        self.n_traces, self.n_samples = self.samples.shape

    @property
    def textual_lines(self):
        """The 40 lines of the EBCDIC textual header without blanks at their ends."""
        text = self.bytes[:TEXTUAL_HEADER_BYTES].tobytes().decode("cp037")
        return [text[i : i + 80].rstrip() for i in range(0, TEXTUAL_HEADER_BYTES, 80)]

    def binary(self, first_byte, kind):
        """A number of the binary header."""
        return self.bytes[first_byte - 1 :][: np.dtype(kind).itemsize].view(np.dtype(kind).newbyteorder(self.prefix))[0]

    @property
    def major_revision(self):
        return int(self.bytes[3500]) if self.prefix == ">" or self.bytes[3500] >= 2 else int(self.bytes[3501])

    def field(self, first_byte, kind):
        """A header field of every trace, in the machine's byte order; text without padding, IBM single as float64."""
        if kind.startswith("S"):
            raw = self.headers[:, first_byte - 1 : first_byte - 1 + int(kind[1:])]
            return np.array([header_text(row.tobytes()) for row in raw], dtype=object)
        stored = np.dtype("u4" if kind == "ibm" else kind).newbyteorder(self.prefix)
        raw = np.ascontiguousarray(self.headers[:, first_byte - 1 : first_byte - 1 + stored.itemsize])
        values = raw.view(stored)[:, 0].astype(stored.newbyteorder("="))
        return ibm_to_float64(values) if kind == "ibm" else values

    def columns(self):
        """What the header table should hold, by name and in order: the fields, with scaled ones after them."""
        columns = {"trace_index": np.arange(self.n_traces, dtype="i8")}
        for name, first_byte, kind, scalar_byte, (first, last) in TRACE_FIELDS:
            if not first <= self.major_revision <= last:
                continue
            columns[name] = self.field(first_byte, kind)
            if scalar_byte is not None:
                columns[f"{name}_scaled"] = scaled(columns[name], self.field(scalar_byte, "i2"))
        return columns


def ibm_to_float64(words):
    """IBM single to double, which holds every one exactly: sign, 7-bit power of 16 less 64, 24-bit fraction."""
    sign = np.where(words >> 31, -1.0, 1.0)
    exponent = ((words >> 24) & 0x7F).astype(np.float64) - 64
    fraction = (words & 0x00FF_FFFF).astype(np.float64) / 2.0**24
    return sign * fraction * 16.0**exponent


def is_held_by_float32(words):
    """Whether an IBM word is the only normalised one of its value, and float32 holds that exactly; or a plain zero."""
    values = ibm_to_float64(words)
    held = nearest_float32(values).astype(np.float64) == values
    return (words & 0x00F0_0000 != 0) & held | (words & 0x7FFF_FFFF == 0)


def nearest_float32(values):
    """The nearest float32, infinite beyond the range."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)


def scaled(values, scalars):
    """A positive scalar multiplies, a negative one divides; 0 counts as 1, and so does what is none of the standard."""
    values, scalars = values.astype(np.float64), scalars.astype(np.float64)
    scalars = np.where(np.isin(np.abs(scalars), [1, 10, 100, 1000, 10000]), scalars, 0)
    magnitudes = np.where(scalars == 0, 1.0, np.abs(scalars))
    return np.where(scalars > 0, values * magnitudes, values / magnitudes)


def header_text(raw):
    """A text field of a trace header, in ASCII if all of it reads as such, else in EBCDIC."""
    printable = all(b == 0 or 0x20 <= b < 0x7F for b in raw)
    return raw.decode("ascii" if printable else "cp037").replace("\0", " ").strip()


def runs(keys):
    """Runs of consecutive traces with equal values of all keys: their starts, and their ends (exclusive)."""
    keys = np.stack(keys)
    changes = np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1
    return np.concatenate(([0], changes)), np.concatenate((changes, [keys.shape[1]]))
