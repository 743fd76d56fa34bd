"""Where the program is."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

#: Names another program, for developers.
VARIABLE = "SEGY_IMPORT_PROGRAM"


def find_program() -> str:
    """The path of the program ``segy-import``: that of ``SEGY_IMPORT_PROGRAM``, the one installed with this module, or the first on
    ``PATH``."""
    if named := os.environ.get(VARIABLE):
        return named
    name = "segy-import" + (sysconfig.get_config_var("EXE") or "")
    beside = Path(__file__).resolve().parent.parent
    places = [
        Path(sysconfig.get_path("scripts")) / name,
        Path(sys.base_prefix) / ("Scripts" if os.name == "nt" else "bin") / name,
        Path(sysconfig.get_path("scripts", f"{os.name}_user")) / name,
        # pip install --target
        beside / "bin" / name,
    ]
    found = next((str(place) for place in places if place.is_file()), None) or shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, places))}, nor on PATH")
    return found
