"""Datasets in xarray and pandas, which are imported only here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._convert import StrPath

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

#: Columns of bytes, most of the table, that are read only by name.
_BYTES = {"raw_header", "additional_headers"}
#: Values of coordinates that are read at once, so that they select; more stay on disk: 800 MB of the widest.
_MOST_VALUES = 100_000_000


def open(path: StrPath, *, columns: Iterable[str] = (), chunks: Any = "auto") -> xr.Dataset:
    """A dataset with its samples as ``amplitude``, and header fields as coordinates.

    Traces in file order have their numbers as ``trace_index``, by which ``write_segy`` knows them again in any order.

    ``columns`` of the header table become coordinates too, of traces in file order. ``chunks`` is as for ``xarray.open_zarr``:
    ``None`` reads without dask.
    """
    import xarray as xr

    document, tables = _document(path)
    dataset = xr.open_zarr(os.fspath(path), chunks=_with_dask(chunks))
    if "grid" in document:
        return dataset
    variable = document["options"].get("variable", "traces.zarr")
    if variable != "amplitude":
        dataset = dataset.rename({variable: "amplitude"})
    wanted = list(dict.fromkeys(columns))
    if wanted:
        table = headers(path, wanted)
        dataset = dataset.assign_coords({name: ("trace", table[name].to_numpy()) for name in wanted})
    n_traces = dataset.sizes.get("trace", 0)
    if "trace_index" not in dataset.coords and n_traces <= _MOST_VALUES:
        import numpy as np

        dataset = dataset.assign_coords(trace_index=("trace", np.arange(n_traces)))
    of_traces = [name for name, array in dataset.coords.items() if array.dims == ("trace",)]
    if len(of_traces) * n_traces <= _MOST_VALUES:
        dataset = dataset.assign_coords({name: dataset[name].load() for name in of_traces})
    return dataset


def headers(path: StrPath, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """The header table: one row for each trace, in file order. Without ``columns`` all but the bytes of the headers.

    :raises KeyError: for a column that it does not have.
    """
    import pandas as pd
    import pyarrow.dataset as arrow

    _, tables = _document(path)
    table = tables / "headers.parquet"
    names = arrow.dataset(table).schema.names
    wanted = [name for name in names if name not in _BYTES] if columns is None else list(columns)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise KeyError(f"{table} has no column {', '.join(unknown)}")
    return pd.read_parquet(table, columns=wanted)


def gather(path: StrPath, number: int | None = None, **keys: int) -> xr.DataArray:
    """One gather: by its number, or by the values of its keys, ``gather("line.zarr", cdp=1203)``. In a grid, what has these values.

    :raises KeyError: if there is none.
    """
    import pandas as pd

    document, tables = _document(path)
    dataset = open(path)
    variable = document["grid"]["variable"] if "grid" in document else "amplitude"
    if "grid" in document and number is None:
        return dataset[variable].sel(keys)
    if "grid" in document:
        raise ValueError("a grid has no numbers of gathers; give the values of its keys")
    index = pd.read_parquet(tables / "ensemble_index.parquet")
    unknown = [key for key in keys if key not in index.columns]
    if unknown or (number is None and not keys):
        raise KeyError(f"the gather keys are {', '.join(document['gathers']['keys']) or 'none'}, not {', '.join(unknown) or 'given'}")
    found = index if number is None else index[index.ensemble_id == number]
    for key, value in keys.items():
        found = found[found[key] == value]
    if found.empty:
        raise KeyError(f"no gather has {keys or number}")
    row = found.iloc[0]
    return dataset[variable].isel(trace=slice(int(row.start_trace), int(row.end_trace)))


def _document(path: StrPath) -> tuple[dict[str, Any], Path]:
    """``metadata.json``, and the directory of the tables."""
    root = Path(path)
    for tables in (root, root / "segy"):
        try:
            return json.loads((tables / "metadata.json").read_text(encoding="utf-8")), tables
        except (FileNotFoundError, NotADirectoryError):
            continue
    raise FileNotFoundError(f"{root} holds no dataset of segy-import")


def _with_dask(chunks: Any) -> Any:
    """Chunks of dask, where it is there and nothing else was asked for."""
    if chunks != "auto":
        return chunks
    try:
        import dask  # noqa: F401
    except ImportError:
        return None
    return {}
