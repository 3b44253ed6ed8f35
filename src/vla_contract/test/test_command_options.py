"""Values of command lines."""

import argparse
from pathlib import Path

import pytest

from vla_contract.command_options import add_out, at_least, file_name


def test_whole_numbers_from_the_least_on():
    assert [at_least(0)(text) for text in ("0", "7")] == [0, 7]
    assert at_least(-2)("-2") == -2


@pytest.mark.parametrize("text", ["0", "-1", "", "1.5", "--3", "\u00b2", "many"])
def test_anything_else_is_refused_in_one_line(text):
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        at_least(1, "--jobs")(text)
    assert str(caught.value) == f"--jobs is {text!r}; accepted: a whole number of at least 1"
    with pytest.raises(argparse.ArgumentTypeError, match="^is "):
        at_least(1)(text)


def test_the_former_names_of_an_output_answer_and_tell_the_new_one(capsys):
    parser = argparse.ArgumentParser(prog="vla learn train")
    add_out(parser, "--run", "--to", default=Path("usual"), help="where to")
    assert parser.parse_args([]).out == Path("usual")
    assert parser.parse_args(["--out", "a"]).out == Path("a")
    assert capsys.readouterr().err == ""
    for name in ("--run", "--to"):
        assert parser.parse_args([name, "a"]).out == Path("a")
        assert capsys.readouterr().err == f"vla learn train: {name} is now called --out\n"
    assert "--run" not in parser.format_help()


def test_a_file_to_write_has_a_name(tmp_path):
    assert file_name(str(tmp_path / "a.json")) == tmp_path / "a.json"
    for text in ("", ".", "/", str(tmp_path)):
        with pytest.raises(argparse.ArgumentTypeError, match="accepted: the name of a file"):
            file_name(text)
