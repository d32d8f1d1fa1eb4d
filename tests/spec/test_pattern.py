"""Patterns: exact, with two wild cards."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from krmfn.spec.pattern import matches, problem


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("shop", "shop", True),
        ("shop", "Shop", False),
        ("shop", "shops", False),
        ("shop", "", False),
        ("*", "", False),
        ("**", "", False),
        ("*", "shop", True),
        ("*", "shop/a", False),
        ("shop-*", "shop-", True),
        ("shop-*", "shop-eu", True),
        ("*-shop", "eu-shop", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "a1c2b", False),
        ("a*b*b", "ab", False),
        ("**", "a/b/c", True),
        ("shop/**", "shop", False),
        ("shop/**", "shop/a", True),
        ("shop/**", "shop/a/b", True),
        ("shop/**", "shopping/a", False),
        ("shop/*/db", "shop/eu/db", True),
        ("shop/*/db", "shop/db", False),
        ("shop/*/db", "shop/eu/west/db", False),
        ("shop/*", "shop/", False),
        ("https://git.example/shop/*", "https://git.example/shop/deploy.git", True),
        ("https://git.example/shop/*", "https://git.example@evil.example/shop/x", False),
        ("https://git.example/**", "https://git.example.evil/x", False),
        ("a.c", "abc", False),
        ("[a]", "a", False),
    ],
)
def test_matches(pattern: str, text: str, *, expected: bool) -> None:
    """A star stays in its segment, two stars are the rest, everything else is itself."""
    assert matches(pattern, text) is expected


@pytest.mark.parametrize("pattern", ["", "a**", "**a", "**/a", "a/**/b", "a/../b", "./a", "a\nb"])
def test_patterns_that_are_refused(pattern: str) -> None:
    """What could be taken for more than it says is no pattern."""
    assert problem(pattern)


@settings(deadline=None)
@given(st.text("ab/", min_size=1), st.text("ab/", min_size=1))
def test_without_stars_only_the_text_itself(pattern: str, text: str) -> None:
    """A pattern without a wild card stands for itself alone."""
    assert matches(pattern, text) == (pattern == text)


@settings(deadline=None)
@given(st.text("ab*/", min_size=1, max_size=12), st.text("ab/", min_size=1, max_size=12))
def test_a_star_means_what_a_slow_reading_says(pattern: str, text: str) -> None:
    """The quick comparison agrees with one that tries everything."""

    def slow(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return slow(pattern[1:], text) or (text != "" and slow(pattern, text[1:]))
        return text[:1] == pattern[0] and slow(pattern[1:], text[1:])

    segments, found = pattern.split("/"), text.split("/")
    if problem(pattern) or "**" in pattern:
        return
    expected = len(segments) == len(found) and all(
        slow(p, f) and (p != "*" or f != "") for p, f in zip(segments, found, strict=True)
    )
    assert matches(pattern, text) == expected
