"""krmfn as tests call it: in this process, or in a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn import __main__ as program
from krmfn import deadline
from krmfn.files import private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = 60  # seconds; with less krmfn might end the tests on a busy machine
_STREAMS = ("stdin", "stdout", "stderr")


def krmfn(
    *arguments: str | Path,
    stdin: str | None = None,
    cwd: Path | None = None,
    process: bool = False,
    **environ: str,
) -> subprocess.CompletedProcess[str]:
    """One call of the command line, without this machine's settings.

    Args:
        process: whether it has to be a process of its own: for signals, limits, closed streams.
    """
    done = call(
        arguments,
        None if stdin is None else stdin.encode(),
        cwd,
        {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        process=process,
    )
    output, errors = (io.TextIOWrapper(io.BytesIO(s)).read() for s in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, output, errors)


def call(
    arguments: tuple[str | Path, ...],
    stdin: bytes | None,
    cwd: Path | None,
    environ: Mapping[str, str],
    *,
    process: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """One call of krmfn as kustomize or a person makes it, with this environment alone.

    It is a process of its own where another one would differ, too: in a thread, behind a spy, and
    with a short deadline, after which krmfn ends the process that it is in.
    """
    words = [sys.executable, "-m", "krmfn", *map(str, arguments)]
    if process or _differs(environ):
        return subprocess.run(
            words,
            input=stdin,
            cwd=cwd,
            capture_output=True,
            check=False,
            env=dict(environ),
        )
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(stdin or b"")
        given.seek(0)
        with _in_place(cwd, environ), _streams(*(f.fileno() for f in (given, output, errors))):
            program.START = time.monotonic()
            code = program._flushed(program._run(words[3:]))
            assert not private._folders, "krmfn leaves folders behind"
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, code, output.read(), errors.read())


def _differs(environ: Mapping[str, str]) -> bool:
    in_thread = threading.current_thread() is not threading.main_thread()
    seconds = environ.get(deadline.VARIABLE, "60")
    short = not seconds.isdigit() or int(seconds) < ENOUGH
    return in_thread or short or environ.get("PYTHONPATH") != str(ROOT)


@contextlib.contextmanager
def _in_place(cwd: Path | None, environ: Mapping[str, str]) -> Iterator[None]:
    """Another working directory, environment and folder for temporary files during the block."""
    before, where = dict(os.environ), os.open(".", os.O_RDONLY)
    os.environ.clear()
    os.environ.update(environ)
    folder, tempfile.tempdir = tempfile.tempdir, None
    seconds, deadline.DEFAULT_SECONDS = deadline.DEFAULT_SECONDS, 10.0 * ENOUGH
    try:
        if cwd is not None:
            os.chdir(cwd)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as the interpreter does outside of tests
            yield
    finally:
        deadline.DEFAULT_SECONDS = seconds
        tempfile.tempdir = folder
        os.fchdir(where)
        os.close(where)
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _streams(*files: int) -> Iterator[None]:
    """Other standard streams during the block: as descriptors, which children inherit, and in `sys`."""
    kept = {name: getattr(sys, name) for one in _STREAMS for name in (one, f"__{one}__")}
    saved = [os.dup(number) for number in range(3)]
    for number, file in enumerate(files):
        os.dup2(file, number)
    for number, name in enumerate(_STREAMS):
        stream = os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    try:
        yield
    finally:
        for name in ("stdout", "stderr"):
            with contextlib.suppress(OSError, ValueError):
                getattr(sys, name).flush()
        for name, stream in kept.items():
            setattr(sys, name, stream)
        for number, descriptor in enumerate(saved):
            os.dup2(descriptor, number)
            os.close(descriptor)
