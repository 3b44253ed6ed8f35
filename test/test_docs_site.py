"""The documentation as a site: it builds without a warning, and what it names and links exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from vla_cli import __main__ as cli
from vla_cli.docs import reference_tables

ROOT = Path(__file__).resolve().parents[1]
PAGES = [path for path in reference_tables.documents(ROOT) if path.is_file()]
SITE = sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
# Folders of the tree; what is named below them must be there.
NAMED = re.compile(
    r"`((?:config|docker|deploy|docs|launch|models|requirements|src|test)/[\w./-]+)`"
)
COMMAND = re.compile(r"\./vla ([a-z]+)\b")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and mkdocs make them."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()) for title in titles]
    return {re.sub(r"[ ]+", "-", title.strip()) for title in plain}


def test_the_site_builds_without_a_warning(tmp_path):
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (requirements/docs.txt)")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    result = subprocess.run(
        [*command, "--config-file", str(ROOT / "mkdocs.yml")],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    page = (tmp_path / "reference" / "safety" / "index.html").read_text()
    assert "<td><code>chunk_timeout</code></td>" in page, "generated tables are on the site"
    assert "fonts.googleapis" not in page, "the site fetches nothing from elsewhere"


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(path.relative_to(ROOT / "docs")) for path in SITE}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path):
    text = CODE.sub("", path.read_text())
    for target in LINK.findall(text):
        url = urlsplit(target)
        if url.scheme:
            assert url.scheme in ("http", "https") and "." in url.netloc, target
            continue
        file = (path.parent / url.path).resolve() if url.path else path
        assert file.exists(), f"{name(path)}: {target}"
        if url.fragment:
            assert url.fragment in anchors(file), f"{name(path)}: no heading for {target}"


@pytest.mark.parametrize("path", [*SITE, ROOT / "README.md"], ids=name)
def test_files_and_commands_that_are_named_exist(path):
    text = path.read_text()
    for named in NAMED.findall(text):
        pattern = re.sub(r"\b[A-Z]+\b", "*", named)  # NODE.policy.xml
        assert list(ROOT.glob(pattern)), f"{name(path)}: {named}"
    for command in COMMAND.findall(text):
        assert command in {*cli.COMMANDS, "build", "test"}, f"{name(path)}: ./vla {command}"


@pytest.mark.parametrize("path", [*SITE, ROOT / "README.md"], ids=name)
def test_launch_arguments_that_are_named_exist(path):
    known = set()
    for file in (ROOT / "launch").glob("*.xml"):
        known |= set(re.findall(r'<arg name="(\w+)"', file.read_text()))
    named = set(re.findall(r"(?<![\w-])([a-z_]+):=(?!VALUE|value|b\b)", path.read_text()))
    assert named <= known, f"{name(path)}: {named - known}"


def test_the_reference_has_every_parameter_table():
    text = "".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md"))
    for node in reference_tables.CONFIGS:
        assert f"<!-- generated: parameters {node} -->" in text
    for file in (ROOT / "src" / "vla_interfaces").glob("*/*.msg"):
        assert f"## vla_interfaces/msg/{file.stem}" in text


def test_the_settings_of_the_site():
    content = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert content["theme"]["name"] == "material" and content["theme"]["font"] is False
