"""`python -m vla_learning`: the same as `./vla learn`."""

from vla_learning.cli import run

run()
