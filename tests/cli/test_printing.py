"""No name and no text of a repository or server colours the terminal or writes a line of its own."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from krmfn import cli
from krmfn.cli.frame import Run
from krmfn.text import printable, printable_lines
from krmfn.warned import Warned
from tests.support import repository as repo
from tests.support.function import KEYS

if TYPE_CHECKING:
    from pathlib import Path

# A line that krmfn might write, a colour, the other direction, an escape of one character, a tab.
EVIL = "a\n[error] krmfn: forged [spec]\x1b[31m\u202e\x9b1m\x7f\tb"
META = {"name": EVIL, "namespace": EVIL, "annotations": {EVIL: EVIL}, "labels": {EVIL: EVIL}}
RESOURCES: list[dict[str, Any]] = [
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": META,
        "spec": {
            "containers": [
                {
                    "name": EVIL,
                    "image": EVIL,
                    "env": [
                        {"name": "x", "valueFrom": {"secretKeyRef": {"name": EVIL, "key": EVIL}}}
                    ],
                }
            ]
        },
    },
    {"apiVersion": "v1", "kind": "Secret", "metadata": META, "stringData": {EVIL: "x"}},
    {"apiVersion": f"{EVIL}/v1", "kind": EVIL, "metadata": META, "spec": {"secretName": EVIL}},
    {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": META,
        "spec": {"encryptedData": {EVIL: "AAAA"}, "template": {"metadata": META}},
    },
    {
        "apiVersion": repo.API,
        "kind": "SecretClaim",
        "metadata": META,
        "spec": {"store": EVIL, "data": [{"secretKey": EVIL, "remoteRef": {"key": EVIL}}]},
    },
]
CONFIG = {
    "apiVersion": repo.API,
    "kind": "SealedSecretTransformer",
    "metadata": {"name": EVIL},
    "spec": {EVIL: EVIL},
}
LINES = [
    f"{command} {source} {form}".strip()
    for command, forms in {
        "audit": ("", "-v", "--json", "--sarif"),
        "graph": ("", "--mermaid", "--json"),
    }.items()
    for form in forms
    for source in ("all.yaml", "pods.yaml", "o")
]
# No reference is found, or no krmfn resource.
QUIET = ("graph pods.yaml", "argocd discover o")
LINES += [
    "plan --offline o",
    "plan --offline --json o",
    "matrix o",
    "matrix o --json",
    "doctor o",
    "doctor o --json",
    "init --dry-run o",
    "build o",
    "build EVIL",
    "build -- --EVIL",
    "seal sealed.yaml --config config.yaml",
    "diff sealed.yaml pods.yaml",
    "diff sealed.yaml other.yaml",
    "diff sealed.yaml other.yaml --json",
    "diff EVIL sealed.yaml",
    "drift o --against EVIL",
    "rotate epoch o --to EVIL",
    "rotate cert o --to EVIL",
    "unseal --check --key KEY sealed.yaml",
    "unseal --key KEY sealed.yaml",
    "cert check EVIL",
    "schema EVIL",
    "schema --check config.yaml all.yaml",
    "age get EVIL --identity EVIL",
    "import secret all.yaml --namespace EVIL",
    "import secret all.yaml",
    "import sealedsecret sealed.yaml",
    "import externalsecret all.yaml",
    "import avp all.yaml",
    "import kustomization o",
    "install EVIL",
    "argocd discover o",
    "completion EVIL",
    "explain EVIL",
    "EVIL",
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where every text is evil."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    repo.write(tmp_path / "all.yaml", *RESOURCES)
    repo.write(tmp_path / "pods.yaml", RESOURCES[0])
    repo.write(tmp_path / "sealed.yaml", RESOURCES[3])
    other = {**RESOURCES[3], "metadata": {**META, "name": f"{EVIL}2"}}
    repo.write(tmp_path / "other.yaml", other)
    repo.write(tmp_path / "config.yaml", CONFIG)
    repo.write(tmp_path / "o/pods.yaml", RESOURCES[0])
    repo.write(
        tmp_path / "o/kustomization.yaml", {"namespace": "n", "resources": ["pods.yaml", EVIL]}
    )
    return tmp_path


def shown(line: str, capfdbinary: pytest.CaptureFixture[bytes]) -> str:
    """Everything that a command prints."""
    words = {"EVIL": EVIL, "KEY": str(KEYS / "current.key")}
    arguments = [words.get(word, word.replace("EVIL", EVIL)) for word in line.split()]
    with contextlib.suppress(SystemExit):
        cli.main(arguments, time.monotonic())
    out, err = capfdbinary.readouterr()
    return (out + err).decode()


@pytest.mark.parametrize("line", LINES)
def test_every_command(line: str, place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Nothing but text, and no line that is not krmfn's."""
    text = shown(line, capfdbinary)
    assert text or line in QUIET
    assert [char for char in text if not char.isprintable() and char != "\n"] == []
    assert "\n[error] krmfn: forged" not in text


def test_no_command_is_left_out() -> None:
    """A new command gets a line above."""
    assert {line.split()[0] for line in LINES} >= set(cli.COMMANDS)


def test_warnings_are_printed_once_and_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """By the frame, whatever they hold."""
    run = Run("krmfn plan", time.monotonic())
    evil = Warned("trailing-newline", EVIL, EVIL, EVIL)
    run.warn(evil, Warned("nul-byte", "s", "other"), evil, where=EVIL)
    run.close()
    second, first = capsys.readouterr().err.splitlines()
    assert first.startswith("[warning] krmfn plan: a")
    assert first.endswith("[trailing-newline]")
    assert first.isprintable()
    assert second.endswith("s: other [nul-byte]")


def test_the_printer() -> None:
    """One line, or lines that keep their tabs; JSON needs nothing, for it is ASCII."""
    assert printable("größe ≠ 10") == "größe ≠ 10"
    assert printable(EVIL).isprintable()
    assert len(printable(EVIL)) == len(EVIL)
    assert printable_lines("a\tb\r\n\x1bc\n") == "a\tb?\n?c\n"
    assert json.dumps(EVIL).isprintable()
