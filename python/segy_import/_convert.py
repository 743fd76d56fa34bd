"""Running the program: options as arguments, its events as objects."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ._errors import error_of
from ._program import find_program

StrPath = str | os.PathLike[str]
log = logging.getLogger("segy_import")

#: Options that are given once for each value; lists of others become one, with commas.
_REPEATED = {"field", "compute", "bin", "fill_axes"}


class Cancel(Protocol):
    """What ``convert`` needs of ``cancel``: a ``threading.Event``, for example."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True)
class Progress:
    """How far an import is. ``fraction`` is of the whole, from 0 to 1; ``traces`` are those done in this phase."""

    phase: str
    fraction: float
    traces: int
    total_traces: int
    workers: int
    elapsed: float
    eta: float | None


@dataclass(frozen=True)
class Result:
    """A dataset that was made."""

    output: str
    n_traces: int
    n_gathers: int
    gather_keys: list[str]
    #: Lengths of the axes of a grid, that of the samples last; empty for traces in file order.
    grid: dict[str, int]
    #: Whether a part of the input was imported.
    is_part: bool
    elapsed: float
    is_verified: bool
    warnings: list[str] = field(default_factory=list)


def convert(
    inputs: StrPath | Iterable[StrPath],
    output: StrPath,
    *,
    on_progress: Callable[[Progress], object] | Literal[False] | None = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> Result:
    """Imports SEG-Y files into a dataset, as ``segy-import IN... OUT`` does.

    ``on_progress`` is called about ten times a second; without it there is a bar where tqdm is installed, and with ``False``
    none. ``cancel`` ends the import once it is set, from whatever thread. Options are those of the command line:
    ``gather="cdp"``, ``verify=True``, ``field=["inline=5:i32"]``, ``codec="lz4-bit"``.

    :raises SegyImportError: one of its kinds for each exit code; ``Cancelled`` after ``cancel``.
    :raises ValueError: for ``each=True``: a call makes one dataset.
    """
    if options.get("each"):
        raise ValueError("convert makes one dataset; call it for each file")
    paths = [inputs] if isinstance(inputs, (str, os.PathLike)) else list(inputs)
    arguments = ["import", "--progress=json", *_arguments(options), f"--output={os.fspath(output)}", "--", *map(os.fspath, paths)]
    with _listener(on_progress) as listen:
        done, warnings = _run(arguments, listen, cancel)
    return Result(
        output=done["output"],
        n_traces=done["n_traces"],
        n_gathers=done["n_gathers"],
        gather_keys=done["gather_keys"],
        grid={axis["axis"]: axis["length"] for axis in done["grid"] or ()},
        is_part=done["is_part"],
        elapsed=done["elapsed_s"],
        is_verified=done["is_verified"],
        warnings=warnings,
    )


def inspect(path: StrPath, **options: Any) -> dict[str, Any]:
    """What a SEG-Y file or a dataset holds, as ``segy-import inspect --json`` says it."""
    command = [find_program(), "inspect", "--json", *_arguments(options), "--", os.fspath(path)]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if ran.returncode != 0:
        raise error_of(ran.returncode, _last_event(ran.stdout), ran.stderr)
    return json.loads(ran.stdout)


def _arguments(options: dict[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            yield option
        elif value is None or value is False:
            continue
        elif isinstance(value, (str, bytes, os.PathLike)) or not isinstance(value, Iterable):
            yield f"{option}={os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else value}"
        elif name in _REPEATED:
            yield from (f"{option}={one}" for one in value)
        else:
            yield f"{option}={','.join(map(str, value))}"


def _run(
    arguments: list[str], listen: Callable[[Progress], object], cancel: Cancel | None
) -> tuple[dict[str, Any], list[str]]:
    """Runs the program to its end. Returns its last event and its warnings."""
    process = subprocess.Popen(
        [find_program(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    said: list[str] = []
    threads = [threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)]
    if cancel is not None:
        threads.append(threading.Thread(target=_watch, args=(process, cancel), daemon=True))
    for thread in threads:
        thread.start()
    last, failed, warnings = None, None, []
    try:
        for line in process.stdout:
            event = json.loads(line)
            match event.get("type"):
                case "progress":
                    listen(_progress(event))
                case "warning":
                    warnings.append(event["message"])
                    log.warning("%s", event["message"])
                case "info":
                    log.info("%s", event["message"])
                case "failed":
                    failed = event
                case "done":
                    last = event
        process.wait()
    finally:
        # After an exception of the listener, or Ctrl-C, the import ends as well, and tidies up.
        if process.poll() is None:
            process.terminate()
            process.wait()
        for thread in threads:
            thread.join()
        process.stdout.close()
        process.stderr.close()
    if process.returncode != 0 or last is None:
        raise error_of(process.returncode, failed, "".join(said))
    return last, warnings


def _watch(process: subprocess.Popen[str], cancel: Cancel) -> None:
    """Asks the process to end once ``cancel`` is set."""
    interval = 0.05
    while process.poll() is None:
        if cancel.is_set():
            process.terminate()
            return
        try:
            process.wait(interval)
        except subprocess.TimeoutExpired:
            pass


def _progress(event: dict[str, Any]) -> Progress:
    return Progress(
        phase=event["phase"],
        fraction=event["fraction"],
        traces=event["current_traces"],
        total_traces=event["total_traces"],
        workers=event["active_workers"],
        elapsed=event["elapsed_s"],
        eta=event["eta_s"],
    )


def _last_event(text: str) -> dict[str, Any] | None:
    lines = text.strip().splitlines()
    try:
        return json.loads(lines[-1]) if lines else None
    except ValueError:
        return None


@contextmanager
def _listener(on_progress: Callable[[Progress], object] | Literal[False] | None) -> Iterator[Callable[[Progress], object]]:
    """What is called with each progress: the caller's function, tqdm's bar, or nothing."""
    if on_progress:
        yield on_progress
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        tqdm = None
    if on_progress is False or tqdm is None:
        yield lambda progress: None
        return
    bar = None

    def show(progress: Progress) -> None:
        nonlocal bar
        if bar is None:
            bar = tqdm(total=100, unit="%", bar_format="{desc}{percentage:3.0f}%|{bar}| {postfix}[{elapsed}<{remaining}]")
        bar.set_description(progress.phase, refresh=False)
        bar.postfix = f"{progress.total_traces:,} traces "
        bar.update(round(100 * progress.fraction, 1) - bar.n)

    try:
        yield show
    except BaseException:
        if bar is not None:
            # A notebook keeps a bar that has not reached its total, in red.
            bar.leave, bar.total = False, None
            bar.close()
        raise
    if bar is not None:
        bar.update(100 - bar.n)
        bar.close()
