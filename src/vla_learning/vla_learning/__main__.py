"""`python -m vla_learning`: the same as `./vla learn`."""

from vla_learning.learn_cli import run

run()
