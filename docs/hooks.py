"""mkdocs: what a page links to outside docs/ is in the repository, and only named on the site."""

from __future__ import annotations

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)((?!docs/)[^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn `[text](../src/x)` into text and the path; deeper pages may link within docs/ by ../."""
    depth = page.file.src_uri.count("/")

    def name(match: re.Match[str]) -> str:
        if match[2].count("../") <= depth:
            return match[0]
        return f"{match[1]} (`{match[3]}` of the repository)"

    return OUTSIDE.sub(name, markdown)
