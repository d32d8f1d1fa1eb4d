"""An error is facts in one line, with a stable id and an exit code."""

from __future__ import annotations

import itertools

import pytest

from krmfn.cli.explain import explanations
from krmfn.errors import (
    BUG_EXIT_CODE,
    CATALOGUE,
    CheckError,
    ErrorList,
    KrmfnError,
    ProviderError,
    SealingError,
    SpecError,
    raise_all,
)
from krmfn.warned import WARNINGS


def test_the_line_has_everything_in_order() -> None:
    """Place, secret, key, source, message, expected, found, remedy, id."""
    error = SpecError(
        "spec", "wrong", where="K/n", secret="s", key="k", source="m:p", expected="e", found="f",
        remedy="do it"
    )  # fmt: skip
    assert error.line() == str(error) == "K/n: s: k: m:p: wrong, expected e, found f; do it [spec]"
    assert SpecError("spec", "wrong").line() == "wrong [spec]"


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    """Line breaks and control sequences in a name do not get out."""
    line = SpecError("spec", "a\nb\r\n\tc\u2028d", where="\x1b[31mred\x07\x00").line()
    assert line == "?[31mred??: a b c d [spec]"


def test_places_are_filled_in_once() -> None:
    """The raiser's own facts stay; the rest is added by whoever knows."""
    error = SpecError("spec", "wrong", key="mine")
    assert error.at(where="w", secret="s", key="theirs", source="x") is error
    assert error.at(secret="other").line() == "w: s: mine: x: wrong [spec]"


@pytest.mark.parametrize("class_", [KrmfnError, ProviderError])
def test_an_id_belongs_to_its_class(class_: type[KrmfnError]) -> None:
    """An unknown id, or one of another family, is a bug."""
    with pytest.raises(AssertionError):
        class_("spec", "x")
    with pytest.raises(AssertionError):
        class_("no-such-id", "x")


def test_the_catalogue() -> None:
    """Ids are words, families are together, and codes are those that scripts branch on."""
    codes = [entry[0].exit_code for entry in CATALOGUE.values()]
    assert list(dict.fromkeys(codes)) == [2, 3, 4, 5, 6, 124, 1]
    assert len([c for c, d in itertools.pairwise(codes) if c != d]) == 6
    assert all(id_.replace("-", "").isalpha() and id_.islower() for id_ in CATALOGUE)
    assert all(
        text and text[0].islower() and not text.endswith(".") for _, text in CATALOGUE.values()
    )
    assert BUG_EXIT_CODE == KrmfnError.exit_code == 70


def test_every_id_is_explained() -> None:
    """Each has a cause and a remedy, and nothing else has."""
    told = explanations()
    assert set(told) == CATALOGUE.keys() | WARNINGS.keys()
    for id_, one in told.items():
        for text in one:
            assert text == " ".join(text.split()), id_
            assert 10 < len(text) < 200, id_
            assert not text.endswith("."), id_
            assert "|" not in text, id_


def test_raising_several() -> None:
    """None is nothing, one is itself, several are a list whose first decides."""
    first, second = SealingError("value", "a"), CheckError("claim-left", "b")
    raise_all([])
    with pytest.raises(SealingError) as one:
        raise_all([first])
    assert one.value is first
    assert first.errors == (first,)
    with pytest.raises(ErrorList, match="2 errors") as several:
        raise_all([first, second])
    assert several.value.errors == (first, second)
