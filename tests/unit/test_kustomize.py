"""What of a failed kustomize is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from krmfn.deadline import Deadline
from krmfn.kustomize import Sandbox

WARNING = "# Warning: 'patchesStrategicMerge' is deprecated. Please use 'patches' instead.\n"


@pytest.mark.parametrize(
    "errors",
    [
        "Error: no such file /h/tree/base\n",
        f"{WARNING}Error: no such file /h/tree/base\n",
        f'{WARNING}E1124 20:36:15.999560   20733 run.go:72] "command failed" '
        'err="no such file /h/tree/base"\n',
        "no such file /h/tree/base\nand more\n",
    ],
)
def test_its_error(errors: str) -> None:
    """The error, not a warning before it, as each version writes it; with the repository's own paths."""
    sandbox = Sandbox(("kustomize",), Path("/h"), "", Deadline(1), {"/h/tree": "/r"})
    error = sandbox._failure(errors)
    assert error.line() == "kustomize fails: no such file /r/base [kustomize]"


def test_our_own_error() -> None:
    """What one of krmfn's functions says comes through with its id."""
    sandbox = Sandbox(("kustomize",), Path("/h"), "", Deadline(1), {})
    error = sandbox._failure(
        f"{WARNING}[error] SecretClaim/x: spec.store: required [spec]\nError: y\n"
    )
    assert error.line() == "SecretClaim/x: spec.store: required [spec]"


def test_silence() -> None:
    """It may say nothing at all."""
    sandbox = Sandbox(("kustomize",), Path("/h"), "", Deadline(1), {})
    assert sandbox._failure(WARNING).line() == "kustomize fails: it says nothing [kustomize]"
