"""A plaintext shows itself to nobody who does not say reveal()."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.plaintext import Plaintext

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "c4n4ry-0f-s1xt33n"
VALUE = Plaintext(CANARY.encode())


@dataclass
class Holder:
    content: Plaintext


TEXTS: dict[str, Callable[[], str]] = {
    "repr": lambda: repr(VALUE),
    "str": lambda: str(VALUE),
    "format": lambda: f"{VALUE} {VALUE!r} {VALUE!s} {VALUE!a} {VALUE:>40} {VALUE:s}",
    "percent": lambda: "%s %r %a" % (VALUE, VALUE, VALUE),  # noqa: UP031  # one of the ways
    "in a list": lambda: str([VALUE]) + repr({"password": VALUE}) + str((VALUE,)),
    "in a dataclass": lambda: repr(Holder(VALUE)),
    "pprint": lambda: pprint.pformat({"a": [VALUE]}),
    "json by str": lambda: json.dumps({"a": VALUE}, default=str),
}


@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_no_text_shows_it(make: Callable[[], str]) -> None:
    """Every way to make text of it says what it is and not what it holds."""
    text = make()
    assert "<Plaintext>" in text
    assert CANARY not in text


def test_its_length_is_not_shown_either() -> None:
    """A short and a long one look alike, and have no length."""
    assert str(Plaintext(b"")) == str(Plaintext(b"x" * 1000)) == "<Plaintext>"
    with pytest.raises(TypeError):
        len(VALUE)  # type: ignore[arg-type]


REFUSED: dict[str, Callable[[], Any]] = {
    "pickle": lambda: [pickle.dumps(VALUE, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)],
    "pickle of a holder": lambda: pickle.dumps(Holder(VALUE)),
    "copy": lambda: copy.copy(VALUE),
    "deepcopy": lambda: copy.deepcopy([VALUE]),
    "json": lambda: json.dumps({"password": VALUE}),
    "hash": lambda: hash(VALUE),
    "set": lambda: {VALUE},
    "bytes": lambda: bytes(VALUE),  # type: ignore[call-overload]
    "iteration": lambda: list(VALUE),  # type: ignore[call-overload]
    "index": lambda: VALUE[0],  # type: ignore[index]
    "join": lambda: b"".join([VALUE]),  # type: ignore[list-item]
    "concatenation": lambda: b"" + VALUE,  # type: ignore[operator]
    "order": lambda: sorted([VALUE, VALUE]),
    "vars": lambda: vars(VALUE),
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED)
def test_it_cannot_be_taken_elsewhere(attempt: Callable[[], Any]) -> None:
    """No copy, pickle, JSON, hash or order; and the refusal does not show it."""
    with pytest.raises(TypeError) as caught:
        attempt()
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_protocol_of_pickle_takes_it(protocol: int) -> None:
    """Each one by itself."""
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        pickle.dumps(VALUE, protocol)


def test_a_log_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    """As an argument, as a message, and as what an exception carries."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("krmfn").debug("read %s and %r", VALUE, [VALUE])
        logging.getLogger("krmfn").debug(VALUE)
        error = RuntimeError(VALUE)
        logging.getLogger("krmfn").error("failed", exc_info=error)
    assert caplog.text.count("<Plaintext>") >= 4
    assert CANARY not in caplog.text


def test_equality_is_that_of_the_values() -> None:
    """Equal values are equal; a value is not equal to the bytes it holds."""
    assert Plaintext(b"a") == Plaintext(b"a")
    assert Plaintext(b"a") != Plaintext(b"b")
    assert Plaintext(b"a") != Plaintext(b"ab")
    assert Plaintext(b"") == Plaintext(b"")
    assert (Plaintext(b"a") == b"a") is False
    assert (Plaintext(b"a") == "a") is False


def test_equality_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is hmac's, which does not stop at the first difference."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr("krmfn.plaintext.hmac.compare_digest", compare)
    assert Plaintext(b"a") != Plaintext(b"b")
    assert compared == [(b"a", b"b")]


def test_the_one_way_out() -> None:
    """The bytes, as they came in."""
    assert VALUE.reveal() == CANARY.encode()
    assert Plaintext(b"").reveal() == b""
    assert [n for n in dir(VALUE) if not n.startswith("_")] == ["reveal"]
