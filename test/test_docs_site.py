"""The documentation as a site: it builds without a warning, and what it names and links exists."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
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
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
COMMAND = re.compile(r"\./vla ([a-z]+)\b")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and mkdocs make them."""
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()) for title in titles]
    return {re.sub(r"[ ]+", "-", title.strip()) for title in plain}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site, once for all that look at it."""
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (requirements/docs.txt)")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(
        [*command, "--config-file", str(ROOT / "mkdocs.yml")],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


def test_the_site_has_the_tables_and_fetches_nothing(site):
    page = (site / "reference" / "safety" / "index.html").read_text()
    assert "<code>chunk_timeout</code></td>" in page, "generated tables are on the site"
    assert '<td data-column="default"><code>0.4</code></td>' in page, "cells name their columns"
    assert "fonts.googleapis" not in page, "the site fetches nothing from elsewhere"


LOOK = """<script>
const boxes = node => [...node.getClientRects()];
window.addEventListener("load", () => setTimeout(() => {
  const found = [];
  for (const cell of document.querySelectorAll(".md-content td, .md-content pre > code"))
    if (cell.getBoundingClientRect().right > innerWidth || cell.scrollWidth > cell.clientWidth + 1)
      found.push("cut: " + cell.textContent.slice(0, 60));
  for (const button of document.querySelectorAll(".md-clipboard")) {
    const icon = button.getBoundingClientRect(), text = document.createRange();
    text.selectNodeContents(button.closest("pre, .highlight").querySelector("code"));
    const beside = box => box.top < icon.bottom && icon.top < box.bottom;
    if (boxes(text).some(box => beside(box) && box.right > icon.left + 4))
      found.push("under the icon: " + text.toString().slice(0, 60));
  }
  const first = document.querySelector(".md-content h1 ~ *");
  document.body.innerHTML = "LOOKED " + JSON.stringify({
    found, first: first.textContent.trim().slice(0, 11),
    blocks: document.querySelectorAll(".md-content pre").length,
    icons: document.querySelectorAll(".md-content pre .md-clipboard, .md-code__nav").length,
  }).replaceAll("<", "") + " END";
}, 300));
</script></body>"""


@pytest.mark.parametrize("width", [420, 1280])
@pytest.mark.parametrize("page", ["index", "start/index", "reference/safety/index", "limits/index"])
def test_nothing_of_a_page_is_cut_off(site, tmp_path, page, width):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser: the page was not rendered; Debian's package is chromium")
    file = (site / page).with_name("looked_at.html")
    file.write_text((site / f"{page}.html").read_text().replace("</body>", LOOK))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync",
               f"--user-data-dir={tmp_path}", f"--window-size={width},1500",
               "--virtual-time-budget=5000", "--dump-dom", file.as_uri()]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout
    assert "LOOKED" in shown, shown[-2000:]
    seen = json.loads(html.unescape(shown.split("LOOKED ")[1].split(" END")[0]))
    assert not seen["found"]
    assert seen["icons"] >= seen["blocks"], "each block of code has its icon"
    if page == "index":
        assert seen["first"] == "you want to", "what is looked for comes first"


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
