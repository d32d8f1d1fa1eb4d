"""JSON as RFC 8259 has it."""

from __future__ import annotations

import pytest

from krmfn.documents import strict_json


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "Infinity", "-Infinity", '{"a": NaN}', "[-Infinity]", '{"a": 1, "a": 1}',
        '{"x": {"a": 1, "b": 2, "a": 3}}', '{"a": 1, "\\u0061": 2}', "", "{", "{'a': 1}", "01",
        "[1,]", '"\t"', "1 2", b"\xff", "[" * 100_000,
    ],
)  # fmt: skip
def test_no_json(text: str | bytes) -> None:
    """Nothing of it is quoted."""
    with pytest.raises(ValueError, match=r"^not JSON as RFC 8259 has it"):
        strict_json.loads(text)


def test_json() -> None:
    """A field may stand in two objects; numbers can be kept as text."""
    assert strict_json.loads('{"a": {"b": 1}, "b": [1.5, null, true]}') == {
        "a": {"b": 1},
        "b": [1.5, None, True],
    }
    assert strict_json.loads("[1, 1.0, 1e3, 12345678901234567890123]", str) == [
        "1",
        "1.0",
        "1e3",
        "12345678901234567890123",
    ]
