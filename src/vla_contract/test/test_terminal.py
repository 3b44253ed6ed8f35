"""What a program shows, and how a defect ends it."""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path

import pytest

from vla_contract import terminal


def test_a_defect_is_one_line_and_its_trace_is_kept(capsys):
    try:
        {}["a\nb"]
    except KeyError as error:
        assert terminal.report_unexpected(error, "vla learn", refused=1) == 70
    told = capsys.readouterr().err
    assert told.startswith("vla learn: a defect of vla: KeyError: 'a\\nb'; the whole trace is in /")
    assert told.count("\n") == 1
    file = Path(told.split()[-1])
    assert "test_terminal.py" in file.read_text() and str(sys.argv) in file.read_text()
    file.unlink()


def test_where_no_file_can_be_made_the_trace_is_printed(capsys, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(terminal.tempfile, "mkstemp", full)
    assert terminal.report_unexpected(ValueError("x"), "vla", refused=2) == 70
    told = capsys.readouterr().err
    assert "ValueError: x\n" in told and told.splitlines()[-1].endswith("is in the lines above")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "a.json"), "vla: a.json: No such file\n"),
        (OSError(errno.ENOSPC, "No space left on device"), "vla: No space left on device\n"),
    ],
)
def test_what_the_system_refuses_of_a_file_is_no_defect(error, told, capsys):
    assert terminal.report_unexpected(error, "vla", refused=2) == 2
    assert capsys.readouterr().err == told


def test_every_argument_can_be_shown(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", output)
    terminal.print_any_text()
    print("öffne \udcff")
    output.flush()
    assert output.buffer.getvalue() == b"\\xf6ffne \\udcff\n"


@pytest.mark.parametrize(("columns", "drawn"), [("50", 50), ("80", 80), ("300", 80)])
def test_what_is_drawn_in_place_fits(monkeypatch, columns, drawn):
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal.columns() == drawn
