"""One clock for a whole run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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


HOLDING = """
import re, sys
from krmfn.deadline import Deadline
deadline = Deadline(float(sys.argv[1]))
watch = deadline.watch("krmfn build")
deadline.shorten(float(sys.argv[2]))
print("ready", flush=True)
re.match("(a+)+b", "a" * 60)
"""
NEEDLESS = """
import time
from krmfn.deadline import Deadline
Deadline(0.1).watch("krmfn build")
time.sleep(60)
"""
DONE = """
import os, time
from krmfn.deadline import Deadline
watch = Deadline(60).watch("krmfn build")
print(watch._keeper._child, flush=True)
{}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "shorter"), [("0.1", "60"), ("60", "0.1")])
def test_what_holds_the_interpreter(seconds: str, shorter: str) -> None:
    """A regular expression that never ends, and no thread can run: the process ends, with the line."""
    done = subprocess.run(
        [sys.executable, "-c", HOLDING, seconds, shorter],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "ready\n")
    assert done.stderr.startswith("[error] krmfn build: not finished after 0.1 s; ")
    assert done.stderr.endswith(" [deadline]\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_what_only_hangs() -> None:
    """A thread ends the process, with the exit code for it."""
    done = subprocess.run(
        [sys.executable, "-c", NEEDLESS], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 124
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
@pytest.mark.parametrize("end", ["watch.cancel()", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_nothing_is_left_of_the_watch(end: str) -> None:
    """However the process ends, what watches it ends, too."""
    done = subprocess.run(
        [sys.executable, "-c", DONE.format(end)], capture_output=True, check=False, text=True
    )
    for _ in range(100):
        if not Path(f"/proc/{int(done.stdout)}").exists():
            break
        time.sleep(0.1)
    else:
        os.kill(int(done.stdout), signal.SIGKILL)
        pytest.fail("it lives on")
    assert done.stderr == ""


def test_what_was_waited_for_is_named() -> None:
    """The first that is still waited for, and how many more; nothing of what is over."""
    deadline = Deadline(5)
    with deadline.waiting("nothing any more"):
        pass
    with deadline.waiting("a"):
        assert deadline.error().message == "not finished after 5 s: still waiting for a"
        with deadline.waiting("b"), deadline.waiting("c"):
            words = "not finished after 5 s: still waiting for a and 2 more"
            assert deadline.error().message == words
    assert deadline.error().message == "not finished after 5 s"
    assert deadline.error("x fails").message == "not finished after 5 s: x fails"
