"""`krmfn init` on whole estates: it proposes what is missing, then nothing, then what is new."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.command import krmfn
from tests.support.estates import ESTATES, Estate, layer, put, workload
from tests.support.function import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATE = ("--certificate", "certs/all.pem")


def init(root: Path, *arguments: str) -> str:
    """What `krmfn init --yes` prints."""
    done = krmfn("init", "--yes", *arguments, cwd=root)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def tree(root: Path) -> dict[str, str]:
    """All files of a repository, as path to text."""
    files = (f for f in sorted(root.rglob("*")) if f.is_file())
    return {f.relative_to(root).as_posix(): f.read_text() for f in files}


def changed(before: dict[str, str], after: dict[str, str]) -> tuple[set[str], list[str]]:
    """Return the changed files, and the lines that are new in them, without separators."""
    files = {name for name in after if before.get(name) != after[name]}
    lines: list[str] = []
    for name in sorted(files):
        old = before.get(name, "").splitlines()
        lines += after[name].splitlines()[len(old) :] if name not in before else _new(
            old, after[name].splitlines()
        )  # fmt: skip
    return files, lines


def _new(old: list[str], new: list[str]) -> list[str]:
    left = list(old)
    found = []
    for line in new:
        if line in left:
            left.remove(line)
        else:
            found.append(line)
    return found


def claims(root: Path) -> list[dict[str, Any]]:
    """All claims in a repository."""
    return [
        one
        for name, text in tree(root).items()
        if name.endswith(".yaml") and "SecretClaim" in text
        for one in yaml.safe_load_all(text)
    ]


def is_complete(root: Path, overlays: Iterable[str]) -> None:
    """Every overlay builds with its claims left, is planned without a vault, and is audited."""
    for one in overlays:
        for command in (("audit",), ("plan", "--offline"), ("build", "--claims-only")):
            done = krmfn(*command, one, cwd=root)
            assert done.returncode == 0, (command, one, done.stderr, done.stdout)


def unclaimed(estate: Estate, root: Path) -> None:
    """Write an estate as it was before krmfn: workloads that refer to Secrets, and no claim."""
    (root / ".git").mkdir(parents=True)
    (root / "certs").mkdir()
    shutil.copy(KEYS / "current.crt", root / "certs/all.pem")
    for name, value in estate.files.items():
        if name.endswith("kustomization.yaml"):
            kept = [one for one in value["resources"] if one != "claim.yaml"]
            put(root / name, {**value, "resources": kept})
        elif value.get("kind") != "SecretClaim":
            put(root / name, value)


@pytest.mark.parametrize("estate", ESTATES, ids=lambda estate: estate.id)
def test_three_proposals(estate: Estate, tmp_path: Path) -> None:
    """The first builds and passes the audit, the second is empty, the third is the new reference."""
    unclaimed(estate, tmp_path)
    overlays = [one.directory for one in estate.overlays]
    text = init(tmp_path, *CERTIFICATE)
    assert len(text[text.index("Written: ") :].splitlines()) <= 10
    bases = {name for name, value in estate.files.items() if value.get("kind") == "SecretClaim"}
    assert len(claims(tmp_path)) == len(bases)
    for one in overlays:
        listing = json.loads((tmp_path / one / "kustomization.yaml").read_text())
        assert listing["transformers"] == ["../" * len(one.split("/")) + "krmfn"]
    is_complete(tmp_path, overlays)

    before = tree(tmp_path)
    assert "Nothing to propose." in init(tmp_path)
    assert tree(tmp_path) == before

    base = Path(min(bases)).parent
    more = workload("late", "late-token")
    put(tmp_path / base / "late.yaml", more)
    listed = json.loads((tmp_path / base / "kustomization.yaml").read_text())
    put(tmp_path / base / "kustomization.yaml", {"resources": [*listed["resources"], "late.yaml"]})
    before = tree(tmp_path)
    text = init(tmp_path)
    files, _ = changed(before, tree(tmp_path))
    assert files == {f"{base.as_posix()}/claims.yaml"}
    assert [one["metadata"]["name"] for one in claims(tmp_path)].count("late-token") == 1
    assert len(claims(tmp_path)) == len(bases) + 1
    is_complete(tmp_path, overlays)
    assert "Nothing to propose." in init(tmp_path)


def pod(name: str, *keys: tuple[str, str]) -> dict[str, Any]:
    """A Pod that reads keys of Secrets."""
    env = [
        {"name": f"V{n}", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for n, (secret, key) in enumerate(keys)
    ]
    container = {"name": "app", "image": "app", "env": env}
    value = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
    return value | {"spec": {"containers": [container]}}


SEVEN = [(f"s{n}", "password") for n in range(7)]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Three overlays of one base with seven Secrets, and a certificate for each."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "certs").mkdir()
    for name in ("production", "staging", "dev", "review"):
        shutil.copy(KEYS / "current.crt", tmp_path / f"certs/{name}.pem")
    put(tmp_path / "base/kustomization.yaml", {"resources": ["app.yaml"]})
    put(tmp_path / "base/app.yaml", pod("app", *SEVEN))
    for name in ("production", "staging", "dev"):
        for file, value in layer(f"overlays/{name}", f"shop-{name}", "../../base").items():
            (tmp_path / file).parent.mkdir(parents=True)
            (tmp_path / file).write_text(yaml.safe_dump(value))
    return tmp_path


def test_how_much_it_writes(three: Path) -> None:
    """Seven Secrets in three overlays, one Secret more, one environment more; each is complete."""
    before = tree(three)
    init(three)
    after = tree(three)
    files, lines = changed(before, after)
    assert (len(files - before.keys()) <= 6, len(lines) <= 90) == (True, True), (files, lines)
    for name in ("production", "staging", "dev"):
        _, own = changed(
            {"x": before[f"overlays/{name}/kustomization.yaml"]},
            {"x": after[f"overlays/{name}/kustomization.yaml"]},
        )
        assert own == ["transformers: [../../krmfn]"]

    put(three / "base/app.yaml", pod("app", *SEVEN, ("s7", "password")))
    before = tree(three)
    init(three)
    files, _ = changed(before, tree(three))
    assert files == {"base/claims.yaml"}
    added = (three / "base/claims.yaml").read_text().removeprefix(before["base/claims.yaml"])
    assert [line for line in added.splitlines() if line != "---"] == [
        "apiVersion: krmfn.dev/v1alpha1",
        "kind: SecretClaim",
        "metadata: {name: s7}     # used by Pod/app",
        "spec:",
        '  from: "{environment}/s7"',
        "  keys: [password]",
    ]

    (three / "overlays/review").mkdir()
    value = {"namespace": "shop-review", "resources": ["../../base"]}
    (three / "overlays/review/kustomization.yaml").write_text(yaml.safe_dump(value))
    before = tree(three)
    init(three)
    files, lines = changed(before, tree(three))
    assert files == {".krmfn.yaml", "overlays/review/kustomization.yaml"}
    assert len(lines) <= 4, lines
    is_complete(three, [f"overlays/{n}" for n in ("production", "staging", "dev", "review")])
    assert "Nothing to propose." in init(three)
