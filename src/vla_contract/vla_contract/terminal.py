"""What a program shows: any text, in at most 80 columns, and one line where a defect ends it."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import traceback

DEFECT = 70  # exit status of a defect, sysexits.h's EX_SOFTWARE
WIDEST = 80  # columns of what is drawn in place: progress, the demo's view
FULL = (errno.ENOSPC, errno.EDQUOT)  # a write's error does not name the file


def report_unexpected(error: Exception, program: str, refused: int) -> int:
    """Print what ended the program in one line; its exit status.

    What the system refuses of a file is the machine's matter, and the status is `refused`. All
    else is a defect of the program, and its whole trace goes to the file that the line names.
    """
    if isinstance(error, OSError) and (error.filename is not None or error.errno in FULL):
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"{program}: {where}{error.strerror}", file=sys.stderr)
        return refused
    words = " ".join(str(error).split())
    print(
        f"{program}: a defect of {program.split()[0]}: {type(error).__name__}: {words}; the whole "
        f"trace is in {_write_trace(error)}",
        file=sys.stderr,
    )
    return DEFECT


def _write_trace(error: Exception) -> str:
    """The file that holds the trace; standard error where none can be made."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        descriptor, path = tempfile.mkstemp(prefix="vla_defect_", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{sys.argv}\n{text}")
    except OSError:
        sys.stderr.write(text)
        return "the lines above"
    return path


def print_any_text() -> None:
    """Let standard output show every argument, also one that is not valid UTF-8, in escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def columns() -> int:
    """Columns for what is drawn in place, which a longer line would break."""
    return min(WIDEST, shutil.get_terminal_size().columns)
