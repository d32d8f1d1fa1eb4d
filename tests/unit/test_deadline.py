"""One clock for a whole run."""

from __future__ import annotations

import time

import pytest

from krmfn.deadline import Deadline
from krmfn.errors import DeadlineError, SpecError


def test_what_is_left() -> None:
    """Counted from the start that is given; nothing left is an error."""
    now = time.monotonic()
    assert 0 < Deadline(100, start=now).left() <= 100
    assert Deadline(100, start=now + 50).left() > 100
    with pytest.raises(DeadlineError) as caught:
        Deadline(45, start=now - 46).left()
    assert caught.value.line() == (
        "not finished after 45 s; look at the store's health, or raise KRMFN_DEADLINE [deadline]"
    )
    assert caught.value.exit_code == 124


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 45), ("7", 7), ("7s", 7), ("0.5", 0.5), ("99999.25s", 99999.25)]
)
def test_the_variable(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    """Seconds, with or without an s; absent means 45."""
    monkeypatch.setenv("KRMFN_DEADLINE", text)
    deadline = Deadline.from_environment(10.0)
    assert (deadline.seconds, deadline.end) == (seconds, 10.0 + seconds)


@pytest.mark.parametrize(
    "text", ["0", "0.0s", "-1", "1m", "1e3", "inf", "nan", " 1", "1 s", "s", "100000", "\u0661"]
)
def test_what_is_no_number_of_seconds(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nothing is guessed."""
    monkeypatch.setenv("KRMFN_DEADLINE", text)
    with pytest.raises(SpecError) as caught:
        Deadline.from_environment()
    assert (
        caught.value.line()
        == "KRMFN_DEADLINE is not a number of seconds, expected 45 or 45s [usage]"
    )
