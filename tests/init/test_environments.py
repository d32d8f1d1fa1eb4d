"""Environments are named by the directories of overlays, and matched by few patterns."""

from __future__ import annotations

import pytest

from krmfn.init.environments import application, environment, environments, label, patterns


@pytest.mark.parametrize(
    ("directory", "name", "path"),
    [
        ("overlays/production", "production", "overlays/production"),
        ("apps/shop/overlays/prod-eu", "prod-eu", "apps/shop/overlays/prod-eu"),
        ("clusters/eu/shop", "eu", "clusters/eu"),
        ("clusters/eu/overlays/dev", "dev", "clusters/eu/overlays/dev"),
        ("apps/staging", "staging", "apps/staging"),
        ("live", "live", "live"),
        ("review-17", "review-17", "review-17"),
        ("envs/Big_One", "big-one", "envs/Big_One"),
        ("dev-tools", "", ""),
        ("apps/shop", "", ""),
        ("overlays", "", ""),
        (".", "", ""),
    ],
)
def test_names(directory: str, name: str, path: str) -> None:
    """Behind a word such as overlays, else a usual name; else there is none."""
    assert environment(directory) == (name, path)


def test_those_without_one_share_one() -> None:
    """Only beside others that have one."""
    assert environments(["a", "b"]) == {"a": ("", ""), "b": ("", "")}
    found = environments(["a", "overlays/dev"])
    assert found == {"a": ("common", "a"), "overlays/dev": ("dev", "overlays/dev")}


@pytest.mark.parametrize(
    ("own", "others", "found"),
    [
        (["o/dev"], ["o/prod"], ["o/dev"]),
        (["a/x/o/dev", "a/y/o/dev", "a/z/o/dev"], ["a/x/o/prod"], ["a/*/o/dev"]),
        (["x/dev", "y/dev"], ["z/dev/other"], ["x/dev", "y/dev"]),
        (["a/x", "a/y"], [], ["a/x", "a/y"]),
        (["a/x/dev", "b/dev"], [], ["a/x/dev", "b/dev"]),
    ],
)
def test_patterns(own: list[str], others: list[str], found: list[str]) -> None:
    """Directories that differ above the environment's name share a pattern that meets no other."""
    assert patterns(own, others) == found


def test_words() -> None:
    """A label is a DNS label; an application's words say neither layout nor environment."""
    assert (label("Über/Größe"), label("__"), len(label("a" * 99))) == ("ber-gr-e", "x", 63)
    assert application("apps/shop/base", {}) == "shop/"
    assert application("clusters/eu/shop", {"eu": 1}) == "shop/"
    assert application(".", {}) == ""
