"""The module as its users call it, against real files. ``SEGY_IMPORT_PROGRAM`` names the program where no wheel is installed."""

import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from contextlib import redirect_stderr
from pathlib import Path
from unittest import mock

import numpy as np
import segy_import
from segy_import._convert import _listener
from tqdm import tqdm

DOCS = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def generate(path, *options):
    subprocess.run([segy_import.find_program(), "generate", str(path), *options], check=True)
    return path


class Module(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def survey(self, name="line.sgy", traces=2000, samples=100, kind="prestack"):
        return generate(self.directory / name, "--kind", kind, "--traces", str(traces), "--samples", str(samples))

    def large(self):
        """A file that takes a while: it is packed as slowly as can be, by processes."""
        return self.survey("large.sgy", traces=60_000, samples=500), dict(codec="gzip:9", parallel_threshold=0, workers=2)


class Convert(Module):
    def test_progress_grows_and_the_result_says_what_was_made(self):
        heard = []
        out = self.directory / "line.zarr"
        result = segy_import.convert(self.survey(), out, on_progress=heard.append, gather=["cdp"], verify=True)
        self.assertEqual((result.n_traces, result.gather_keys, result.output), (2000, ["cdp"], str(out)))
        self.assertTrue(result.is_verified and result.n_gathers > 1)
        self.assertEqual((result.grid, result.is_part), ({}, False))
        fractions = [progress.fraction for progress in heard]
        self.assertEqual(fractions, sorted(fractions))
        self.assertEqual({progress.total_traces for progress in heard if progress.phase == "importing"}, {2000})

    def test_options_are_those_of_the_command_line(self):
        out = self.directory / "line.zarr"
        paths = [self.survey(), self.survey("b.sgy")]
        segy_import.convert(
            paths, out, on_progress=False, field=["mine=181:i32", "other=185:i32"], chunk_traces=100, raw_header=None, overwrite=False
        )
        table = segy_import.headers(out)
        self.assertEqual(len(table), 4000)
        self.assertTrue({"mine", "other", "file_index"} <= set(table.columns) and "raw_header" not in table.columns)

    def test_a_call_makes_one_dataset(self):
        with self.assertRaisesRegex(ValueError, "for each file"):
            segy_import.convert([self.survey()], self.directory / "sets", each=True)
        self.assertFalse((self.directory / "sets").exists())

    def test_each_exit_code_is_an_exception(self):
        survey, out = self.survey(), self.directory / "line.zarr"
        nothing = self.directory / "nothing.sgy"
        with self.assertRaises(segy_import.InputError) as caught:
            segy_import.convert(nothing, out, on_progress=False)
        self.assertEqual((caught.exception.exit_code, caught.exception.file), (3, str(nothing)))
        with self.assertRaisesRegex(segy_import.UsageError, "--codec"):
            segy_import.convert(survey, out, on_progress=False, compression="zstd")
        segy_import.convert(survey, out, on_progress=False)
        said = io.StringIO()
        with self.assertRaises(FileExistsError) as caught, redirect_stderr(said):
            segy_import.convert(survey, out)
        self.assertEqual(caught.exception.file, str(out))
        self.assertEqual(said.getvalue().split("\r")[-1].strip(), "", "a dead bar stays")
        with self.assertRaisesRegex(KeyError, "has no column nix"):
            segy_import.headers(out, ["cdp", "nix"])
        with self.assertRaises(segy_import.InputError):
            segy_import.inspect(nothing)
        self.assertEqual(segy_import.inspect(out)["n_traces"], 2000)

    def test_cancel_ends_it_from_another_thread_and_the_same_call_goes_on(self):
        survey, options = self.large()
        out, cancel, heard = self.directory / "large.zarr", threading.Event(), []

        def listen(progress):
            heard.append(progress)
            if progress.phase == "importing" and progress.traces > 0 and not cancel.is_set():
                threading.Thread(target=cancel.set).start()

        with self.assertRaises(segy_import.Cancelled) as caught:
            segy_import.convert(survey, out, on_progress=listen, cancel=cancel, **options)
        self.assertGreater(caught.exception.exit_code, 128)
        self.assertFalse((out / "metadata.json").exists())
        self.assertLess(heard[-1].fraction, 1)
        self.assertEqual(segy_import.convert(survey, out, on_progress=False, **options).n_traces, 60_000)

    def test_an_exception_of_the_listener_ends_it(self):
        survey, options = self.large()
        with self.assertRaises(ZeroDivisionError):
            segy_import.convert(survey, self.directory / "out", on_progress=lambda progress: 1 / 0, **options)
        self.assertFalse((self.directory / "out" / "metadata.json").exists())

    def test_a_bar_shows_itself_where_tqdm_is_installed(self):
        said = io.StringIO()
        with redirect_stderr(said):
            segy_import.convert(self.survey(), self.directory / "a")
        self.assertIn("100%", said.getvalue())
        said = io.StringIO()
        with mock.patch.dict(sys.modules, {"tqdm": None, "tqdm.auto": None}), redirect_stderr(said):
            segy_import.convert(self.survey("b.sgy"), self.directory / "b")
        self.assertEqual(said.getvalue(), "")

    def test_no_bar_is_left_after_a_failure(self):
        said = io.StringIO()
        with redirect_stderr(said), self.assertRaises(segy_import.InputError):
            segy_import.convert(self.directory / "nothing.sgy", self.directory / "out")
        self.assertEqual(said.getvalue(), "")
        bars = []

        class Bar(tqdm):
            def __init__(self, *args, **options):
                super().__init__(*args, **options)
                bars.append(self)

            def close(self):
                # As the bars of notebooks decide what stays.
                self.stays = self.leave or bool(self.total and self.n < self.total)
                super().close()

        progress = segy_import.Progress("importing", 0.3, 3, 10, 1, 0.1, None)
        with mock.patch("tqdm.auto.tqdm", Bar), redirect_stderr(io.StringIO()):
            with self.assertRaises(ZeroDivisionError), _listener(None) as show:
                show(progress)
                raise ZeroDivisionError
            with _listener(None) as show:
                show(progress)
        self.assertEqual([(bar.stays, bar.disable) for bar in bars], [(False, True), (True, True)])

    def test_the_package_is_the_program(self):
        version = subprocess.run([sys.executable, "-m", "segy_import", "--version"], capture_output=True, text=True, check=True)
        self.assertRegex(version.stdout, r"^segy-import \d")


class Datasets(Module):
    def test_open_has_samples_and_coordinates_that_select(self):
        out = self.directory / "line.zarr"
        segy_import.convert(self.survey(), out, on_progress=False)
        ds = segy_import.open(out, columns=["trace_number"])
        self.assertEqual(ds.amplitude.dims, ("sample", "trace"))
        limit = float(ds.offset.median())
        near = ds.where(ds.offset < limit, drop=True)
        self.assertTrue(0 < near.sizes["trace"] < 2000 and (near.offset < limit).all())
        self.assertEqual(ds.trace_number.dims, ("trace",))
        self.assertEqual(ds.recording_time.dtype.kind, "M")
        self.assertEqual(ds.cdp_x.attrs["units"], "m")
        one = segy_import.gather(out, cdp=3)
        self.assertTrue((one.cdp == 3).all() and one.sizes["trace"] == int((ds.cdp == 3).sum()))
        self.assertTrue(segy_import.gather(out, 2).equals(one))
        with self.assertRaises(KeyError):
            segy_import.gather(out, cdp=10**6)
        with self.assertRaises(KeyError):
            segy_import.gather(out, shot=1)

    def test_traces_of_a_stack_become_a_cube_in_one_line(self):
        out = self.directory / "stack.zarr"
        segy_import.convert(self.survey(kind="poststack", traces=900, samples=20), out, on_progress=False)
        cube = segy_import.open(out).set_index(trace=["inline", "crossline"]).unstack("trace")
        self.assertEqual((cube.sizes["inline"], cube.sizes["crossline"]), (30, 30))

    def test_a_header_table_in_parts_is_one_table(self):
        out = self.directory / "line.zarr"
        segy_import.convert(self.survey(), out, on_progress=False, header_parts=True)
        self.assertTrue((out / "headers.parquet" / "part-00000.parquet").is_file())
        table = segy_import.headers(out)
        self.assertEqual(list(table.trace_index), list(range(2000)))
        self.assertNotIn("raw_header", table.columns)
        self.assertEqual(list(segy_import.open(out, columns=["trace_number_cdp"]).trace_number_cdp), list(table.trace_number_cdp))

    def test_a_grid_opens_as_it_is(self):
        out = self.directory / "cube.zarr"
        survey = self.survey(kind="poststack", traces=900, samples=20)
        result = segy_import.convert(survey, out, on_progress=False, grid="auto")
        self.assertEqual(result.grid, {"inline": 30, "crossline": 30, "time": 20})
        ds = segy_import.open(out, chunks=None)
        first = int(ds.inline[0])
        self.assertEqual(ds.amplitude.sel(inline=first).shape, (30, 20))
        self.assertEqual(segy_import.gather(out, inline=first).shape, (30, 20))
        self.assertEqual(len(segy_import.headers(out, ["cdp"])), 900)
        with self.assertRaises(FileNotFoundError):
            segy_import.open(self.directory)


class WriteSegy(Module):
    def written(self, dataset, samples=None, **options):
        """The traces of the file that is written: headers and samples, of IEEE floats."""
        path = self.directory / "back.sgy"
        result = segy_import.write_segy(dataset, path, samples, on_progress=False, overwrite=True, **options)
        file = path.read_bytes()
        n = int.from_bytes(file[3220:3222], "big")
        record = np.dtype([("header", "V240"), ("samples", ">f4", (n,))])
        self.assertEqual((result.output, result.n_bytes), (str(path), len(file)))
        traces = np.frombuffer(file, record, offset=3600)
        self.assertEqual(result.n_traces, len(traces))
        return traces, result

    def test_a_changed_part_of_a_grid_goes_back(self):
        out = self.directory / "cube.zarr"
        survey = self.survey(kind="poststack", traces=900, samples=20)
        segy_import.convert(survey, out, on_progress=False, grid="inline,crossline")
        ds = segy_import.open(out)
        lines = ds.inline.values
        new = (2 * ds.amplitude).sel(inline=lines[3:5], time=slice(8, 40)).transpose("time", "crossline", "inline")
        expected = new.transpose("inline", "crossline", "time").values.reshape(60, -1)
        for samples in (new, new.to_dataset(name="amplitude"), new.to_dataset(name="mine")):
            traces, result = self.written(out, samples, format=5)
            np.testing.assert_array_equal(traces["samples"], expected)
            self.assertIn("IEEE", " ".join(result.notes))
        self.assertEqual([path.name for path in self.directory.glob(".segy_import*")], [])
        one, _ = self.written(out, new.sel(inline=lines[3]), format=5)
        np.testing.assert_array_equal(one["samples"], expected[:30])
        with self.assertRaisesRegex(ValueError, "a, b"):
            self.written(out, new.to_dataset(name="a").assign(b=new))

    def test_arrays_of_a_line_and_paths_go_back(self):
        out = self.directory / "line.zarr"
        survey = self.survey(traces=300, samples=40)
        segy_import.convert(survey, out, on_progress=False)
        ds = segy_import.open(out)
        traces, _ = self.written(out, ds.amplitude * 2, format=5)
        np.testing.assert_array_equal(traces["samples"], 2 * ds.amplitude.values.T)
        traces, _ = self.written(out, ds.amplitude.values * 2, format=5)
        np.testing.assert_array_equal(traces["samples"], 2 * ds.amplitude.values.T)
        path = self.directory / "back.sgy"
        segy_import.write_segy(out, path, out / "traces.zarr", on_progress=False, overwrite=True)
        self.assertEqual(path.read_bytes(), survey.read_bytes())
        segy_import.write_segy(out, path, overwrite=True, on_progress=False)
        self.assertEqual(path.read_bytes(), survey.read_bytes())
        near = ds.where(ds.offset < ds.offset.median(), drop=True)
        self.assertTrue(0 < near.sizes["trace"] < 300)
        traces, _ = self.written(out, near.amplitude, format=5)
        np.testing.assert_array_equal(traces["samples"], near.amplitude.values.T)
        traces, _ = self.written(out, 2 * ds.sortby("offset").amplitude, format=5)
        np.testing.assert_array_equal(traces["samples"], 2 * ds.amplitude.values.T)
        with self.assertRaisesRegex(segy_import.InputError, "the array: its [a-z_]+ is not that of the dataset"):
            self.written(out, ds.sortby("offset").drop_vars("trace_index").amplitude)
        with self.assertRaises(segy_import.OutputExistsError):
            segy_import.write_segy(out, path, on_progress=False)
        with self.assertRaisesRegex(segy_import.InputError, "has the shape"):
            self.written(out, np.zeros((3, 3), "f4"))
        self.assertEqual(len(self.written(out, where="trace_index < 7")[0]), 7)


class Dialog(Module):
    def setUp(self):
        super().setUp()
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        try:
            from PySide6.QtWidgets import QApplication
        except ImportError as missing:
            self.skipTest(str(missing))
        self.application = QApplication.instance() or QApplication([])
        text = DOCS.read_text(encoding="utf-8")
        self.code = next(code for code in re.findall(r"```python\n(.*?)```", text, re.S) if "class ImportDialog" in code)
        names = {}
        exec(compile(self.code, str(DOCS), "exec"), names)
        self.dialog_class = names["ImportDialog"]

    def test_it_is_short(self):
        self.assertLessEqual(len([line for line in self.code.splitlines() if line.strip()]), 40)

    def test_it_shows_progress_and_ends_with_the_result(self):
        dialog = self.dialog_class(self.survey(), self.directory / "line.zarr", verify=True)
        self.assertTrue(dialog.exec())
        self.assertEqual(dialog.outcome.n_traces, 2000)
        self.assertGreater(dialog.bar.value(), 0)

    def test_its_cancel_button_works(self):
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QPushButton

        survey, options = self.large()
        dialog = self.dialog_class(survey, self.directory / "large.zarr", **options)
        QTimer.singleShot(300, dialog.findChild(QPushButton).click)
        self.assertFalse(dialog.exec())
        self.assertIsInstance(dialog.outcome, segy_import.Cancelled)


if __name__ == "__main__":
    unittest.main()
