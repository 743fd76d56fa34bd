"""What can go wrong, by what the caller does about it: the exit codes of the program as exceptions."""

from __future__ import annotations

from typing import Any


class SegyImportError(Exception):
    """The work failed: disk full, permission denied (exit code 1). ``file``, ``trace`` and ``byte`` are what the message names."""

    def __init__(
        self, message: str, exit_code: int = 1, file: str | None = None, trace: int | None = None, byte: int | None = None
    ):
        super().__init__(message)
        self.exit_code = exit_code
        self.file = file
        self.trace = trace
        self.byte = byte


class UsageError(SegyImportError, ValueError):
    """An unknown option, or a value that it cannot have (exit code 2)."""


class InputError(SegyImportError):
    """The input is not what it should be (exit code 3)."""


class OutputExistsError(SegyImportError, FileExistsError):
    """Something is where the output should go (exit code 4)."""


class DamagedError(SegyImportError):
    """A dataset is damaged, or is not what its input is (exit code 5)."""


class Cancelled(SegyImportError):
    """Stopped by ``cancel``, or by a signal (exit code 128 and the signal)."""


_BY_CODE = {2: UsageError, 3: InputError, 4: OutputExistsError, 5: DamagedError}


def error_of(exit_code: int, failed: dict[str, Any] | None, said: str) -> SegyImportError:
    """The exception for an exit code, the event of the failure if there was one, and what was said on standard error."""
    # A negative code is the signal that ended the process.
    exit_code = 128 - exit_code if exit_code < 0 else exit_code
    kind = Cancelled if exit_code > 128 else _BY_CODE.get(exit_code, SegyImportError)
    failed = failed or {}
    lines = [line for line in said.splitlines() if line.strip()]
    message = failed.get("message") or (lines[-1] if lines else f"segy-import ended with {exit_code}")
    return kind(message, exit_code, failed.get("file"), failed.get("trace"), failed.get("byte"))
