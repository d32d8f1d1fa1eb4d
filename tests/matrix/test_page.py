"""The page: one file, the same bytes, nothing that comes from elsewhere, every name escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

from krmfn.matrix.equal import Value
from krmfn.matrix.letters import share
from krmfn.matrix.page import SIGNS, page
from krmfn.matrix.table import STATES, Column, Table, table
from tests.support.audits import audited, claim, pod

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "a\u202eb\x1b[31m",
)


def some(*names: str) -> Table:
    """A table whose Secrets, keys and overlays have these names."""
    columns = [
        Column(f"o-{name}", name, audited(claim(name, name), pod((name, name))), str)
        for name in names
    ]
    found = table(columns)
    share(found, [[Value(f"o-{name}", name, "n", name) for name in names[:2]]])
    return found


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_same_bytes() -> None:
    """The same table gives the same page."""
    assert page(some("db")) == page(some("db"))


def test_nothing_from_elsewhere() -> None:
    """No element names an address, but for places of the page and an empty icon."""
    for _, attributes in Page(page(some("db"))).elements:
        for name in ("src", "href", "action", "srcset", "data", "poster", "background"):
            value = attributes.get(name) or "#"
            assert value.startswith("#") or value == "data:,", attributes
    html = page(some("db"))
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_the_policy_names_what_is_there() -> None:
    """The policy allows one style and one script, by their hashes, and nothing else."""
    html = page(some("db"))
    policy = next(a["content"] for t, a in Page(html).elements if t == "meta" and "content" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert not any(
        "style" in a or any(n.startswith("on") for n in a) for _, a in Page(html).elements
    )


def test_hostile_names_are_text() -> None:
    """Names from elsewhere make no element and no attribute, and leave nothing that does not print."""
    usual, hostile = Page(page(some(*"ABCDEF"))), Page(page(some(*HOSTILE)))

    def elements(one: Page) -> Counter[tuple[str, frozenset[str]]]:
        return Counter((tag, frozenset(attributes)) for tag, attributes in one.elements)

    assert elements(hostile) == elements(usual)
    text = "\n".join(hostile.words)
    assert all(name in text for name in HOSTILE[:-1])
    assert "a?b?[31m" in text
    assert "\u202e" not in text


def test_every_state_has_a_sign_and_words() -> None:
    """Colour is never all there is."""
    assert set(SIGNS) == {*STATES, "differs", "shared"}
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_an_empty_table() -> None:
    """Overlays without any Secret give a page that says so."""
    html = page(table([Column("a", "a", audited(pod()), str)]))
    assert "No Secret is made or referred to." in html
