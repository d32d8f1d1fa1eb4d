"""The template language is total: a result, or one of our errors, for any text and any values."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from krmfn.errors import SealingError, SpecError
from krmfn.plan.template import ValueTemplate
from krmfn.plan.template_functions import FUNCTIONS, MAX_BYTES

PIECES = st.sampled_from(
    [
        *[
            "{{",
            "}}",
            "{{-",
            "-}}",
            "|",
            "(",
            ")",
            ".a",
            ".b",
            ".",
            '"',
            '"%s"',
            "`",
            "/*",
            "*/",
            "index",
            "3",
            "1024",
            "if",
            "\\",
            "\\x41",
            "é",
        ],
        *(" ", "\n"),
        *FUNCTIONS,
    ]
)
VALUES = st.fixed_dictionaries(
    {"a": st.binary(max_size=50), "b": st.text(max_size=50).map(str.encode)}
)
CALLS = st.sampled_from(
    [
        *(f"{name}" for name, f in FUNCTIONS.items() if f.kinds == "s"),
        'trimAll "a"', "trimPrefix .b", 'replace "a" .b', 'replace "" "aa"', "indent 3", "nindent 900",
        'printf "%s%s" .a', "print .a .b",
    ]
)  # fmt: skip


def total(text: str, values: dict[str, bytes]) -> None:
    with contextlib.suppress(SpecError, SealingError):
        assert len(ValueTemplate(text).render(values)) <= MAX_BYTES


@given(st.text() | st.lists(PIECES).map("".join) | st.lists(PIECES).map(" ".join), VALUES)
def test_any_text(text: str, values: dict[str, bytes]) -> None:
    """Nothing else is raised, whatever the text."""
    total(text, values)


@given(st.lists(CALLS, max_size=30), VALUES)
def test_any_chain_of_functions(calls: list[str], values: dict[str, bytes]) -> None:
    """Chains are taken, and end within the limit."""
    text = "{{ " + " | ".join([".a", *calls]) + " }}"
    ValueTemplate(text)
    total(text, values)


@given(st.text().filter(lambda t: "{{" not in t))
def test_text_is_itself(text: str) -> None:
    """Without an action nothing changes."""
    with contextlib.suppress(SpecError):  # lone surrogates
        assert ValueTemplate(text).render({}) == text.encode()
