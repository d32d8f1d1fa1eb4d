"""Base64 as Go's encoding/base64 reads it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krmfn.documents import go_base64


@given(st.binary(max_size=200), st.data())
def test_line_breaks_are_ignored(value: bytes, data: st.DataObject) -> None:
    """Wherever they stand, inside of the padding too."""
    encoded = base64.b64encode(value).decode()
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(encoded)))
        encoded = encoded[:at] + data.draw(st.sampled_from(["\n", "\r", "\r\n"])) + encoded[at:]
    assert go_base64.decode(encoded) == go_base64.decode(encoded.encode()) == value


@given(st.binary(max_size=60))
def test_padding_is_exact(value: bytes) -> None:
    """One more is refused, and one less."""
    encoded = base64.b64encode(value)
    for wrong in (encoded + b"=", encoded + b"==", b"=" + encoded):
        with pytest.raises(ValueError, match="not base64"):
            go_base64.decode(wrong)
    if encoded.endswith(b"="):
        with pytest.raises(ValueError, match="not base64"):
            go_base64.decode(encoded[:-1])


# Of Go 1.26: base64.StdEncoding.DecodeString.
@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("", b""),
        ("\n", b""),
        ("QQ==", b"A"),
        ("QR==", b"A"),  # bits behind the end
        ("Q\nQ=\n=\n", b"A"),
        ("QUI=", b"AB"),
        ("QUJD", b"ABC"),
        ("+/+/", b"\xfb\xff\xbf"),
        *[
            (wrong, None)
            for wrong in (
                "Q", "QQ", "QQ=", "QQ===", "QQ==QQ==", "QUJD=", "QUJD====", "====", "=", "QQ= =",
                " QQ==", "QQ== ", "QU\tJD", "-_-_", "Q=Q=", "QUJ\u00e9", "\u00e9", "QQ\x00=",
            )
        ],
    ],
)  # fmt: skip
def test_as_go(encoded: str, value: bytes | None) -> None:
    if value is not None:
        assert go_base64.decode(encoded) == value
        return
    with pytest.raises(ValueError, match=r"^not base64$"):
        go_base64.decode(encoded)
