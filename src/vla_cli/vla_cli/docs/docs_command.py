"""`vla docs`: the documentation as a site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError


def main(arguments: list[str]) -> int:
    """The exit status of mkdocs: 0 where every page and link is sound."""
    parser = options.parser("docs", "Build the documentation, into out/site.")
    parser.add_argument("--out", help="folder of the site (default: out/site)")
    parser.add_argument("--serve", action="store_true", help="serve it on this machine instead")
    chosen = parser.parse_args(arguments)
    root = Path(os.environ.get("VLA_ROOT", "."))
    if not (root / "mkdocs.yml").is_file():
        raise CommandError(f"{root.resolve()} has no mkdocs.yml: run it in the source tree")
    if chosen.serve:
        words = ["serve", "--dev-addr", "localhost:8001"]
    else:
        words = ["build", "--strict", "--site-dir", str(Path(chosen.out or root / "out/site"))]
    command = [sys.executable, "-m", "mkdocs", *words, "--config-file", str(root / "mkdocs.yml")]
    # Its theme advertises its makers' next project on standard error otherwise.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, env=environment, check=False).returncode
