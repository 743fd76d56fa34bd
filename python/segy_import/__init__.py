"""SEG-Y files as Zarr arrays and Parquet tables: a thin module over the program ``segy-import``.

``convert`` runs an import with progress and cancelling, ``open`` gives its dataset to xarray, ``headers`` the header
table to pandas, ``gather`` one gather.
"""

from ._convert import Progress, Result, convert, inspect
from ._datasets import gather, headers, open
from ._errors import (
    Cancelled,
    DamagedError,
    InputError,
    OutputExistsError,
    SegyImportError,
    UsageError,
)
from ._program import find_program

__all__ = [
    "Cancelled",
    "DamagedError",
    "InputError",
    "OutputExistsError",
    "Progress",
    "Result",
    "SegyImportError",
    "UsageError",
    "convert",
    "find_program",
    "gather",
    "headers",
    "inspect",
    "open",
]
