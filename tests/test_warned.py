"""Warnings: what one says, how those of one kind are told together, and how they are silenced."""

from __future__ import annotations

import pytest

from krmfn.errors import SpecError
from krmfn.spec.parse import parse
from krmfn.warned import WARNINGS, Warned, is_silenced, lines


def many(count: int, id_: str = "trailing-newline", text: str = "it ends so") -> list[Warned]:
    return [Warned(id_, f"db{n}: k", text, "do it", secret=f"db{n}") for n in range(count)]


def test_one_says_what_why_and_what_to_do() -> None:
    """Place, subject, text, remedy, id; on one line, whatever a name holds."""
    one = Warned("nul-byte", "a\nb", "text", "remedy").at("overlays/dev")
    assert str(one) == "overlays/dev: a b: text; remedy [nul-byte]"
    assert Warned("nul-byte", "", "text").at("o").line() == "o: text [nul-byte]"


def test_those_of_one_kind_are_one_line() -> None:
    """A count and the first three; the rest with -v."""
    assert lines(many(1)) == ["db0: k: it ends so; do it [trailing-newline]"]
    assert lines(many(2)) == ["2 times: db0: k, db1: k: it ends so; do it [trailing-newline]"]
    assert lines(many(12)) == [
        "12 times: db0: k, db1: k, db2: k and 9 more: it ends so; do it; -v shows each "
        "[trailing-newline]"
    ]
    assert lines(many(4), hint="ask again")[0].endswith("; do it; ask again [trailing-newline]")
    assert lines(many(12), everything=True) == [one.line() for one in many(12)]


def test_kinds_stay_apart() -> None:
    """In the order of ids, whatever came first; different texts of one kind get its title."""
    mixed = [*many(1), *many(2, "nul-byte", "a"), *many(1, text="otherwise")]
    assert lines(mixed) == [
        "2 times: db0: k, db1: k: a; do it [nul-byte]",
        "2 times: db0: k, db0: k: a value ends with a newline; do it; -v shows each "
        "[trailing-newline]",
    ]


def test_what_to_do_differs() -> None:
    """It is said how to see each: a line without a remedy leaves people alone."""
    one, two = (Warned("nul-byte", f"db{n}", "a", f"do {n}") for n in range(2))
    assert lines([one, two]) == ["2 times: db0, db1: a; -v shows each [nul-byte]"]


@pytest.mark.parametrize(
    ("silence", "left"),
    [
        ([], ["db0", "db1"]),
        (["trailing-newline"], []),
        (["trailing-newline/db1"], ["db0"]),
        (["nul-byte", "trailing-newline/db"], ["db0", "db1"]),
    ],
)
def test_silence(silence: list[str], left: list[str]) -> None:
    """All of an id, or one Secret's."""
    assert [one.secret for one in many(2) if not is_silenced(one, silence)] == left


@pytest.mark.parametrize("id_", [*WARNINGS, "unused-secret", "kubesealed-elsewhere"])
def test_a_configuration_silences_what_is_known(id_: str) -> None:
    """Every id of a warning is one; anything else is a mistake."""

    def spec(kind: str, text: str) -> dict[str, object]:
        return {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": "x"},
            "spec": {"silence": [text]},
        }

    for kind in ("SealedSecretValidator", "SealedSecretTransformer"):
        for text in (id_, f"{id_}/db.x"):
            found = parse(spec(kind, text))
            assert found.spec.silence == (text,)  # type: ignore[union-attr]
        for text in ("no-such-warning", "vault-down", f"{id_}/DB", f"{id_}/", "login-failed"):
            with pytest.raises(SpecError, match="warning"):
                parse(spec(kind, text))
