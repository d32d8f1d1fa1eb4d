"""For `make docs`: links that leave docs/ become the names of what they lead to.

In the repository such a link opens a file; the site has no copy of it, so there it says the path.
Rules enforced here: a link that stays in docs/ is left to the strict check of mkdocs; one that
leaves it must lead to something that exists.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Called by mkdocs with each page's source."""
    folder = posixpath.dirname(page.file.src_uri)
    root = Path(config["docs_dir"]).parent

    def named(match: re.Match[str]) -> str:
        label, target = match[1], posixpath.normpath(posixpath.join("docs", folder, match[2]))
        if target.startswith("docs/"):
            return match[0]
        if not (root / target).exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {target}, which is not there")
        plain = label.strip("`")
        return f"`{target}`" if plain in target else f"{label} (`{target}`)"

    return LINK.sub(named, markdown)
