"""The table of secrets and overlays as one page of HTML.

Rules enforced here: the same table gives the same bytes; the page asks nobody for anything, and its
content security policy says so, with the hashes of the one style and the one script that it allows;
every name is escaped, and a character that does not print is a question mark; without a script all
of it can still be read.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krmfn.matrix.table import NOT_NEEDED, STATES
from krmfn.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.matrix.table import Row, Table

FOLDER = Path(__file__).parent
# One sign for each state, so that colour is never all there is.
SIGNS = {
    "missing": "✕",
    "plain": "◇",
    "committed": "■",
    "sealed": "●",
    "operator": "◆",
    "elsewhere": "↗",
    "optional": "○",
    "not-needed": "·",
    "differs": "≠",
    "shared": "=",
}
_SHORT = {state: words for state, (words, _) in STATES.items()}
_WORDS = {**_SHORT, "differs": "differs in shape", "shared": "shared value"}
_MEANING = {
    **{state: meaning for state, (_, meaning) in STATES.items()},
    "differs": "overlays give it another type or other keys",
    "shared": "several environments hold the same value; letters tell which",
}


def page(found: Table) -> str:
    """The page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # lazy: 60 ms
    from markupsafe import Markup

    def clean(value: Any) -> Any:
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        return printable(value)

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = ((FOLDER / name).read_text() for name in ("matrix.css", "matrix.js"))
    tags = [_tags(row, found) for row in found.rows]
    counts = {tag: sum(tag in one for one in tags) for tag in SIGNS if tag != NOT_NEEDED}
    return environment.get_template("matrix.html").render(
        table=found,
        tags=tags,
        counts={tag: count for tag, count in counts.items() if count},
        words=_WORDS,
        signs=SIGNS,
        legend=_legend(found),
        style=Markup(style),  # noqa: S704  # ours
        script=Markup(script),  # noqa: S704  # ours
        policy=Markup(_policy(style, script)),  # noqa: S704  # ours
    )


def _tags(row: Row, found: Table) -> list[str]:
    """Return the filter tags of a row."""
    across = {one.group for one in found.shared or () if one.across}
    tags = {cell.state for cell in row.cells} - {NOT_NEEDED}
    tags |= {"missing"} if any(cell.lacks for cell in row.cells) else set()
    tags |= {"differs"} if row.differs else set()
    groups = {one.group for cell in row.cells for one in cell.equal}
    return [tag for tag in SIGNS if tag in tags | ({"shared"} if groups & across else set())]


def _legend(found: Table) -> Mapping[str, str]:
    """Return the meaning of every state in the table."""
    occurs = {state for state in STATES if found.count(state)}
    occurs |= {"differs"} if any(row.differs for row in found.rows) else set()
    occurs |= {"shared"} if any(one.across for one in found.shared or ()) else set()
    return {tag: _MEANING[tag] for tag in SIGNS if tag in occurs}


def _policy(style: str, script: str) -> str:
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
