"""Paths inside a store have one form, or are refused."""

from __future__ import annotations

import posixpath
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from krmfn.errors import SpecError
from krmfn.spec.store_path import canonical_path

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text("ab./%?#\\\x00\x7f\ud800é ")


@pytest.mark.parametrize(
    "path", ["a", "logto/production/backup", "a b/ü/日本", "...", "a.b/..c/d..", "a:b@c;d=e&f+g"]
)
def test_a_canonical_path_comes_back_as_it_is(path: str) -> None:
    """Nothing is rewritten: no normalisation, no case folding."""
    assert canonical_path(path, key="key") == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/./b",
        "a/../b",
        "../a",
        "a/..",
        "a/b/../../../c",
        "a%2fb",
        "a?b",
        "a#b",
        "a\\b",
        "a\nb",
        "a\x00b",
        "a\x7fb",
        "a\x85b",
        "a\ud800b",
    ],
)
def test_what_could_mean_another_path_is_refused(path: str) -> None:
    """The error is `path`, names the field, and does not quote what it refuses."""
    with pytest.raises(SpecError) as caught:
        canonical_path(path, key="data[0].remoteRef.key")
    assert caught.value.id == "path"
    assert caught.value.key == "data[0].remoteRef.key"
    line = caught.value.line()
    assert line.isprintable()
    assert "a\\b" not in line
    assert "a%2fb" not in line


@given(ANY_TEXT)
@example("a/../b")
@example("\ud800")
def test_what_passes_means_the_same_to_every_reader(text: str) -> None:
    """A path that passes survives a URL, a path normaliser and UTF-8 unchanged."""
    try:
        path = canonical_path(text, key="key")
    except SpecError:
        return
    assert path == text
    assert path.encode().decode() == path
    assert posixpath.normpath(path) == path
    url = urlsplit("https://vault.example:8200/v1/secret/data/" + quote(path, safe="/"))
    assert unquote(url.path) == "/v1/secret/data/" + path
    assert (url.query, url.fragment) == ("", "")
    assert "%" not in path
    assert unquote(path) == path
