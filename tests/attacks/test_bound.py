"""Builds that do one thing when they are judged and another when they read: nothing is read for it."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.platform import write_platform

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

KUBECTL = Path(sys.executable).parent / "kubectl"
OTHER = [{"op": "replace", "path": "/spec/data/0/remoteRef/key", "value": "build/other"}]


@pytest.fixture
def environ(openbao: OpenBao, tmp_path: Path) -> dict[str, str]:
    """A vault with the values, and a policy that allows all of them."""
    repo.seed(openbao)
    policy = write_platform(tmp_path / "platform/p.yaml")
    return {**openbao.environ, **policy, "KRMFN_KUSTOMIZE": str(KUBECTL)}


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """An overlay on a layer that seals another claim, by a name with a hash and with a checksum."""
    root = tmp_path / "r"
    found = repo.repository(root)
    config = repo.transformer()
    config["spec"]["sealing"] = {**repo.SEALING, "derivationKey": {"platform": "shop"}}
    repo.write(found / "krmfn.yaml", config)
    inner = root / "inner"
    shutil.copytree(found, inner)
    one = repo.claim()
    one["metadata"]["name"] = "a"
    one["spec"] |= {"nameSuffixHash": True, "checksumAnnotation": True}
    workload = copy.deepcopy(repo.DEPLOYMENT)
    workload["metadata"]["name"] = "inner"
    workload["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [
        {"secretRef": {"name": "a"}}
    ]
    repo.write(inner / "all.yaml", one, workload)
    repo.change(inner, resources=["all.yaml"], validators=None)
    repo.write(root / "mid/kustomization.yaml", {"resources": ["../inner", "../base"]})
    repo.change(found, resources=["../../mid"])
    return found


def learned(overlay: Path, environ: dict[str, str]) -> dict[str, str]:
    """What an author knows of an earlier build, by what it is."""
    done = krmfn("build", overlay, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    found = list(yaml.load_all(done.stdout, yaml.BaseLoader))
    (sealed,) = (d for d in found if d["metadata"]["name"].startswith("a-"))
    (workload,) = (d for d in found if d["metadata"]["name"] == "inner")
    template = workload["spec"]["template"]["metadata"]["annotations"]
    return {
        "suffix": sealed["metadata"]["name"],
        "checksum": template["krmfn.dev/checksum"],
        "ciphertext": sealed["spec"]["encryptedData"]["password"],
    }


SOURCES: dict[str, dict[str, str]] = {
    "suffix": {"kind": "SealedSecret", "fieldPath": "metadata.name"},
    "checksum": {
        "kind": "Deployment",
        "name": "inner",
        "fieldPath": "spec.template.metadata.annotations.[krmfn.dev/checksum]",
    },
    "ciphertext": {"kind": "SealedSecret", "fieldPath": "spec.encryptedData.password"},
}


def copies(overlay: Path, by: str, field: str, **options: Any) -> None:
    """Have a replacement copy one of them into a field of the outer claim."""
    target = {
        "select": {"kind": "SecretClaim", "name": "db"},
        "fieldPaths": [field],
        "options": {"create": True, **options},
    }
    one = {"source": SOURCES[by], "targets": [target]}
    repo.change(overlay.parents[1] / "mid", replacements=[one])


def differs(done: Any) -> None:
    """It was refused for what it would have done, before it did it."""
    assert (done.returncode, done.stdout) == (6, ""), done.stderr
    assert done.stderr.endswith("[differs-from-judged]\n")
    assert done.stderr.count("\n") == 1


def test_what_is_judged_is_what_is_done(overlay: Path, environ: dict[str, str]) -> None:
    """A policy changes no byte of a build, though names and checksums depend on values."""
    governed = krmfn("build", overlay, **environ)
    assert (governed.returncode, governed.stderr) == (0, "")
    config = repo.transformer()
    for place in (overlay, overlay.parents[1] / "inner"):
        repo.write(place / "krmfn.yaml", config)
    free = krmfn("build", overlay, **{k: v for k, v in environ.items() if k != "KRMFN_CONFIG"})
    assert free.returncode == 0, free.stderr
    assert free.stdout == governed.stdout


@pytest.mark.parametrize("by", ["suffix", "checksum"])
def test_a_label_that_a_patch_selects(by: str, overlay: Path, environ: dict[str, str]) -> None:
    """The patch applies to the real one alone, and swaps the path."""
    known = learned(overlay, environ)[by]
    copies(overlay, by, "metadata.labels.seen")
    target = {"kind": "SecretClaim", "labelSelector": f"seen={known}"}
    repo.change(overlay, patches=[{"target": target, "patch": json.dumps(OTHER)}])
    differs(krmfn("build", overlay, **environ))


@pytest.mark.parametrize("by", ["checksum", "ciphertext"])
def test_a_name_that_a_patch_selects(by: str, overlay: Path, environ: dict[str, str]) -> None:
    """A pattern of names does what a label does, and takes a ciphertext, too."""
    known = learned(overlay, environ)[by].replace("+", "[+]")
    copies(overlay, by, "metadata.name")
    target = {"kind": "SecretClaim", "name": known}
    repo.change(overlay, patches=[{"target": target, "patch": json.dumps(OTHER)}])
    done = krmfn("build", overlay, **environ)
    if by == "ciphertext":  # no name of a Secret
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith("[spec]\n")
    else:
        differs(done)


def test_keys_that_only_a_read_tells(overlay: Path, environ: dict[str, str]) -> None:
    """Where something selects SealedSecrets they are refused; else they are sealed."""
    claim = repo.claim()
    claim["spec"] = {"store": "main", "dataFrom": [{"extract": {"key": "build/db"}}]}
    repo.write(overlay.parents[1] / "base/claims.yaml", claim)
    done = krmfn("build", overlay, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    patch = [{"op": "add", "path": "/metadata/annotations/a", "value": "b"}]
    target = {"kind": "Sealed.*"}
    repo.change(overlay, patches=[{"target": target, "patch": json.dumps(patch)}])
    done = krmfn("build", overlay, **environ)
    assert (done.returncode, done.stdout) == (6, "")
    assert "name the keys under data [cannot-rehearse]" in done.stderr
