"""Datasets as SEG-Y again, with samples of the caller."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ._convert import Cancel, Progress, StrPath, _arguments, _listener, _run
from ._errors import SegyImportError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


@dataclass(frozen=True)
class Written:
    """A SEG-Y file that was written. ``notes`` are what the last line of the program says besides."""

    output: str
    n_traces: int
    n_bytes: int
    notes: list[str] = field(default_factory=list)


def write_segy(
    dataset: StrPath,
    path: StrPath,
    samples: xr.DataArray | xr.Dataset | np.ndarray | StrPath | None = None,
    *,
    on_progress: Callable[[Progress], object] | Literal[False] | None = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> Written:
    """Writes the SEG-Y file of a dataset, as ``segy-import export DATASET PATH`` does, with ``samples`` in place of its own.

    ``samples`` is an array of the dataset's shape, or one of xarray with the dimensions and coordinates of the dataset, in any
    order, of which a part makes a file of that part (traces in file order are known by the ``trace_index`` that ``open`` gives them);
    or the path of such an array: Zarr, or ``.npy``. Arrays that are in memory or
    computed by dask are written beside ``path`` first. Options are those of the command line: ``format=5``,
    ``where="offset < 3000"``, ``overwrite=True``.

    :raises SegyImportError: one of its kinds for each exit code; ``Cancelled`` after ``cancel``.
    """
    with _array(samples, Path(os.fspath(path)).parent) as array, _listener(on_progress) as listen:
        given = [] if array is None else [f"--samples={array}"]
        arguments = ["export", "--progress=json", *given, *_arguments(options), "--", os.fspath(dataset), os.fspath(path)]
        # Nobody knows the name of a temporary array.
        is_known = array is None or isinstance(samples, (str, os.PathLike))
        said = (lambda text: text) if is_known else (lambda text: text.replace(array, "the array"))
        try:
            done, _ = _run(arguments, listen, cancel)
        except SegyImportError as error:
            file = error.file if is_known or error.file != array else None
            raise type(error)(said(str(error)), error.exit_code, file, error.trace, error.byte) from None
    notes = [said(note) for note in done["notes"]]
    return Written(output=done["output"], n_traces=done["n_traces"], n_bytes=done["bytes"], notes=notes)


@contextmanager
def _array(samples: xr.DataArray | xr.Dataset | np.ndarray | StrPath | None, beside: Path) -> Iterator[str | None]:
    """The path of the array, which is written to a temporary directory unless it is one already."""
    if samples is None or isinstance(samples, (str, os.PathLike)):
        yield None if samples is None else os.fspath(samples)
        return
    # In an object store the array waits where temporary files do.
    with tempfile.TemporaryDirectory(prefix=".segy_import", dir=beside if beside.is_dir() else None) as directory:
        if not hasattr(samples, "dims"):
            import numpy as np

            np.save(f"{directory}/samples.npy", np.asarray(samples))
            yield f"{directory}/samples.npy"
            return
        array = _only_samples(samples)
        if "trace" in array.dims and "trace" not in array.coords and "trace_index" in array.coords:
            array = array.assign_coords(trace=array.trace_index.values)
        if array.chunks is not None:
            # Zarr wants even ones.
            array = array.chunk("auto")
        # Coordinates of places are not needed to find the traces; those of traces without numbers tell whether they are still in the
        # order of the file.
        def tells_order(name: str, values: xr.DataArray) -> bool:
            return values.dims == ("trace",) and "trace" not in array.coords and values.dtype.kind in "iuf"

        others = [
            name
            for name, values in array.coords.items()
            if name not in array.dims and values.ndim > 0 and not tells_order(name, values)
        ]
        array.drop_vars(others).to_dataset(name="samples").drop_encoding().to_zarr(f"{directory}/samples.zarr")
        yield f"{directory}/samples.zarr/samples"


def _only_samples(samples: xr.DataArray | xr.Dataset) -> xr.DataArray:
    if not hasattr(samples, "data_vars"):
        return samples
    names = list(samples.data_vars)
    name = "amplitude" if "amplitude" in names else names[0] if len(names) == 1 else None
    if name is None:
        raise ValueError(f"which of {', '.join(map(str, names)) or 'no variables'} are the samples? Pass one of them, as ds.amplitude")
    return samples[name]
