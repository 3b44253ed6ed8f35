"""mkdocs: what a page links to outside docs/ is in the repository, and only named on the site.

Cells of tables get the name of their column, which stands beside them on a narrow screen.
"""

from __future__ import annotations

import re
from typing import Any

TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
HEAD = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
LEAST_STACKED = 3  # columns; two of them fit side by side anywhere
OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)((?!docs/)[^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn `[text](../src/x)` into text and the path; deeper pages may link within docs/ by ../."""
    depth = page.file.src_uri.count("/")

    def name(match: re.Match[str]) -> str:
        if match[2].count("../") <= depth:
            return match[0]
        return f"{match[1]} (`{match[3]}` of the repository)"

    return OUTSIDE.sub(name, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Name the column in each cell of a table that has several; the style sheet shows it."""
    return TABLE.sub(lambda match: _named_cells(match[0]), html)


def _named_cells(table: str) -> str:
    names = [TAG.sub("", head) for head in HEAD.findall(table)]
    if len(names) < LEAST_STACKED:
        return table

    def name_cells(row: re.Match[str]) -> str:
        left = iter(names)
        return re.sub(r"<td\b", lambda cell: f'{cell[0]} data-column="{next(left, "")}"', row[0])

    return ROW.sub(name_cells, table).replace("<table>", "<table data-stacked>", 1)
