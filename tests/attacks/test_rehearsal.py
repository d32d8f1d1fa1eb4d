"""Under a policy a build does what was judged: nothing that depends on a value gets another value read.

An author knows what a build has printed before, since it is in git: a ciphertext, the hash at the end of
a name, a checksum. In a rehearsal none of them appears, so he tries to make the real run do something
else.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.platform import RULE, write_platform
from tests.support.trap import trap
from tests.support.wire import KV2, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.wire import Wire

KUBECTL = Path(sys.executable).parent / "kubectl"
VALUES = {
    "krmfn/derivation": {"key": repo.DERIVATION_KEY},
    "build/db": {"password": repo.VALUE},
    "build/second": {"password": "the second value"},
}
HONEST = {f"secret/data/{path}" for path in VALUES}
# More is allowed than is asked for: what is refused is refused because it was not judged.
RULES = [
    {
        **RULE,
        "namespaces": ["production", "staging", "db-*", "x-*"],
        "reads": [{"store": "main", "paths": ["build/**"]}],
    }
]


@dataclass(frozen=True)
class Known:
    """What an author knows of the first layer's Secret.

    Attributes:
        source: of a replacement that copies it.
        spec: what the claim says for it.
        find: it, in a build's output.
    """

    source: dict[str, Any]
    spec: dict[str, Any]
    find: Callable[[dict[str, Any]], str]


def _sealed(objects: dict[str, Any]) -> Any:
    return next(one for name, one in objects.items() if name.startswith("SealedSecret/db"))


KNOWN = {
    "ciphertext": Known(
        {"kind": "SealedSecret", "name": "db", "fieldPath": "spec.encryptedData.password"},
        {},
        lambda objects: _sealed(objects)["spec"]["encryptedData"]["password"],
    ),
    "suffix": Known(
        {
            "kind": "SealedSecret",
            "fieldPath": "metadata.name",
            "options": {"delimiter": "-", "index": 1},
        },
        {"nameSuffixHash": True},
        lambda objects: _sealed(objects)["metadata"]["name"].partition("-")[2],
    ),
    "checksum": Known(
        {
            "kind": "Deployment",
            "fieldPath": "spec.template.metadata.annotations.[krmfn.dev/checksum]",
        },
        {"checksumAnnotation": True},
        lambda objects: objects["Deployment/shop"]["spec"]["template"]["metadata"]["annotations"][
            "krmfn.dev/checksum"
        ],
    ),
}
# One of them in `make test`, all in `make test-all`.
FIRST = ["suffix", *(pytest.param(n, marks=pytest.mark.slow) for n in KNOWN if n != "suffix")]


@pytest.fixture
def vault() -> Iterator[Wire]:
    """A vault that has everything which is asked for."""

    def answer(_method: str, path: str, _body: Any, _before: int) -> tuple[int, Any]:
        if path.startswith("sys/internal/ui/mounts/"):
            return 200, KV2
        name = path.removeprefix("secret/data/").partition("?")[0]
        data = VALUES.get(name, {"password": "what the author is after"})
        return 200, {"data": {"data": data, "metadata": {"version": 1}}}

    with serving(answer) as wire:
        yield wire


def environment(tmp_path: Path, address: str, **changes: Any) -> dict[str, str]:
    """The platform's environment, with a policy of `RULES` if no other is given."""
    policy = write_platform(tmp_path / "platform/p.yaml", **{"rules": RULES, **changes})
    return {
        **policy,
        "VAULT_ADDR": address,
        "VAULT_TOKEN": "s.the-platforms-own",
        "KRMFN_KUSTOMIZE": str(KUBECTL),
        "KRMFN_DEADLINE": "120",
    }


def claim(name: str, **spec: Any) -> dict[str, Any]:
    """A claim of the password at ``build/NAME``."""
    value = repo.claim()
    value["metadata"] = {"name": name, "annotations": {"pick": "a-b"}, "labels": {"pick": "none"}}
    value["spec"]["data"][0]["remoteRef"]["key"] = f"build/{name}"
    value["spec"] |= spec
    return value


def sealing(directory: Path, **more: Any) -> None:
    """A kustomization with a transformer of its own, and the deletion of its skip marker."""
    spec = {"certificate": {"file": "certs/c.pem"}, "derivationKey": {"platform": "shop"}}
    config = repo.config("SealedSecretTransformer", {"sealing": spec, "stores": repo.STORES})
    marker = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "marker"}}
    repo.write(directory / "krmfn.yaml", config)
    repo.write(directory / "marker.yaml", marker | {"patch": repo.MARKER})
    (directory / "certs").mkdir(parents=True, exist_ok=True)
    (directory / "certs/c.pem").write_text(repo.PEM)
    before = more.pop("before", [])
    transformers = [*before, "krmfn.yaml", "marker.yaml"]
    repo.write(directory / "kustomization.yaml", {**more, "transformers": transformers})


def tree(root: Path, known: Known, *targets: dict[str, Any], **patch: Any) -> Path:
    """A first layer that seals `db`, and a second one that makes something of what came out.

    Args:
        targets: of a replacement that copies what is known.
        patch: what a PatchTransformer does in the second layer, before krmfn.
    """
    (root / ".git").mkdir(parents=True)
    inner, top = root / "inner", root / "top"
    sealing(inner, namespace="production", resources=["deployment.yaml", "db.yaml"])
    repo.write(inner / "deployment.yaml", repo.DEPLOYMENT)
    repo.write(inner / "db.yaml", claim("db", **known.spec))
    more: dict[str, Any] = {}
    if targets:
        more["replacements"] = [{"source": known.source, "targets": list(targets)}]
    if patch:
        head = {"apiVersion": "builtin", "kind": "PatchTransformer", "metadata": {"name": "p"}}
        repo.write(top / "patch.yaml", head | patch)
        more["before"] = ["patch.yaml"]
    second = claim("second")
    second["metadata"]["namespace"] = "production"
    repo.write(top / "second.yaml", second)
    sealing(top, resources=["../inner", "second.yaml"], **more)
    return top


def learn(tmp_path: Path, known: Known, environ: dict[str, str], vault: Wire) -> str:
    """What an earlier build has printed; afterwards nothing was asked yet."""
    done = krmfn("build", tree(tmp_path / "before", known), **environ)
    assert done.returncode == 0, done.stderr
    objects = {f"{o['kind']}/{o['metadata']['name']}": o for o in yaml.safe_load_all(done.stdout)}
    assert any(name.startswith("SealedSecret/second") for name in objects)
    vault.asked.clear()
    return known.find(objects)


def refused(top: Path, environ: dict[str, str], vault: Wire, *ids: str) -> None:
    """The build is refused by policy, prints nothing, and has asked for nothing but what was judged."""
    done = krmfn("build", top, **environ)
    assert done.stdout == ""
    found = re.findall(r"\[([a-z-]+)\]$", done.stderr, re.MULTILINE)
    assert found, done.stderr
    assert set(found) <= set(ids), done.stderr
    assert done.returncode == (6 if set(found) & {"differs-from-judged", "policy-denied"} else 2)
    asked = {path.partition("?")[0] for _, path in vault.asked}
    assert {path for path in asked if path.startswith("secret/data/")} <= HONEST - {
        "secret/data/build/second"
    }


SECOND = {"kind": "SecretClaim", "name": "second"}


def into(field: str, **options: Any) -> dict[str, Any]:
    """A replacement's target in the second claim."""
    target = {"select": SECOND, "fieldPaths": [field]}
    return target | ({"options": options} if options else {})


def piece(value: str) -> tuple[str, int, str]:
    """A delimiter, an index, and the piece of a text that they give, which a selector can have."""
    for delimiter in "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789":
        for index, text in enumerate(value.split(delimiter)):
            if re.fullmatch("[A-Za-z0-9]{6,40}", text):
                return delimiter, index, text
    raise AssertionError("no piece of it can be a label")


@pytest.mark.parametrize("name", KNOWN)
def test_nothing_depends_on_a_value(name: str, tmp_path: Path, vault: Wire) -> None:
    """The same tree without an attack is built, so that a refusal means something."""
    known, environ = KNOWN[name], environment(tmp_path, vault.address)
    learn(tmp_path, known, environ, vault)
    done = krmfn("build", tree(tmp_path / "r", known), **environ)
    assert done.returncode == 0, done.stderr
    assert {p.partition("?")[0] for _, p in vault.asked if "secret/data" in p} == HONEST


@pytest.mark.parametrize("name", FIRST)
def test_a_path(name: str, tmp_path: Path, vault: Wire) -> None:
    """A value in a path: what was judged had another path."""
    known, environ = KNOWN[name], environment(tmp_path, vault.address)
    target = into("spec.data.0.remoteRef.key", delimiter="/", index=1)
    ids = ("differs-from-judged", "path")  # a ciphertext may be no path
    refused(tree(tmp_path / "r", known, target), environ, vault, *ids)


@pytest.mark.parametrize("name", FIRST)
def test_a_namespace(name: str, tmp_path: Path, vault: Wire) -> None:
    """A value in a namespace that a pattern of the rule allows."""
    known, environ = KNOWN[name], environment(tmp_path, vault.address)
    top = tree(tmp_path / "r", known, into("metadata.namespace", delimiter="-", index=1))
    second = claim("second")
    second["metadata"]["namespace"] = "x-y"
    repo.write(top / "second.yaml", second)
    ids = ("differs-from-judged", "spec")  # a ciphertext is no namespace
    refused(top, environ, vault, *ids)


@pytest.mark.parametrize("name", FIRST)
def test_a_configuration(name: str, tmp_path: Path, vault: Wire) -> None:
    """A value in krmfn's configuration, by a directory of configurations that seals by itself."""
    known, environ = KNOWN[name], environment(tmp_path, vault.address)
    top = tree(tmp_path / "r", known)
    functions = tmp_path / "r/functions"
    sealing(functions, namespace="production", resources=["db.yaml", "d.yaml", "own.yaml"])
    repo.write(functions / "db.yaml", claim("db", **known.spec))
    repo.write(functions / "d.yaml", repo.DEPLOYMENT)
    repo.write(functions / "own.yaml", json.loads((top / "krmfn.yaml").read_text()))
    target = {
        "select": {"kind": "SealedSecretTransformer"},
        "fieldPaths": ["spec.sealing.epoch"],
        "options": {"create": True},
    }
    wrapper = tmp_path / "r/wrapper"
    replacement = {"source": known.source, "targets": [target]}
    repo.write(
        wrapper / "kustomization.yaml",
        {"resources": ["../functions"], "replacements": [replacement]},
    )
    repo.change(top, transformers=["../wrapper", "marker.yaml"])
    refused(top, environ, vault, "wrong-list", "foreign")
    assert vault.asked == []


# What a patch does that is selected by a known value.
EFFECTS = {
    "path": '[{"op": "replace", "path": "/spec/data/0/remoteRef/key", "value": "build/other"}]',
    "namespace": '[{"op": "replace", "path": "/metadata/namespace", "value": "staging"}]',
    "name": '[{"op": "replace", "path": "/metadata/name", "value": "other"}]',
    "scope": '[{"op": "add", "path": "/spec/scope", "value": "namespace-wide"}]',
    "template": '[{"op": "add", "path": "/spec/template", "value": {"type": "x"}}]',
    "gone": json.dumps(
        {
            "apiVersion": repo.API,
            "kind": "SecretClaim",
            "metadata": {"name": "second", "namespace": "production"},
            "$patch": "delete",
        }
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("way", ["label", "annotation"])
@pytest.mark.parametrize("name", KNOWN)
def test_a_label_that_a_patch_selects(
    name: str, way: str, effect: str, tmp_path: Path, vault: Wire
) -> None:
    """A known value becomes a label, and a patch that selects this label changes the claim."""
    known, environ = KNOWN[name], environment(tmp_path, vault.address)
    value = learn(tmp_path, known, environ, vault)
    source = dict(known.source)
    if name == "suffix":
        text = value
    else:  # too long for a label
        delimiter, index, text = piece(value)
        source["options"] = {"delimiter": delimiter, "index": index}
    target = {**SECOND, f"{way}Selector": f"pick={text}"}
    patch: dict[str, Any] = {"patch": EFFECTS[effect], "target": target}
    if effect == "name":
        patch["options"] = {"allowNameChange": True}
    # The replacement is a transformer before the patch: patches of one kustomization come first.
    top = tree(tmp_path / "r", known, **patch)
    copied = into(f"metadata.{way}s.pick", create=True)
    replacement = {
        "apiVersion": "builtin",
        "kind": "ReplacementTransformer",
        "metadata": {"name": "copy"},
        "replacements": [{"source": source, "targets": [copied]}],
    }
    repo.write(top / "copy.yaml", replacement)
    transformers = ["copy.yaml", "patch.yaml", "krmfn.yaml", "marker.yaml"]
    repo.change(top, transformers=transformers)
    refused(top, environ, vault, "differs-from-judged")


OTHER = {**RULE, "name": "other", "projects": ["other"], "namespaces": ["other"]}
DENIED = {
    "namespace": {"namespace": "other"},
    "path": {"claim": "other/db"},
    "mode": {"spec": {"mode": "random"}},
    "label": {"spec": {"template": {"metadata": {"labels": {"argocd.argoproj.io/x": "y"}}}}},
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", DENIED)
def test_one_of_several_is_denied(name: str, *, first: bool, tmp_path: Path) -> None:
    """Of several configurations one is denied: not even for the others a byte is sent."""
    root, why = tmp_path / "r", DENIED[name]
    (root / ".git").mkdir(parents=True)
    for folder in ("one", "two", "three"):
        wrong = folder == "two"
        value = claim("db", **(why.get("spec", {}) if wrong else {}))
        if wrong and "claim" in why:
            value["spec"]["data"][0]["remoteRef"]["key"] = why["claim"]
        repo.write(root / folder / "claim.yaml", value)
        space = why.get("namespace", "production") if wrong else "production"
        sealing(root / folder, namespace=space, namePrefix=f"{folder}-", resources=["claim.yaml"])
    order = ["../two", "../one", "../three"] if first else ["../one", "../three", "../two"]
    repo.write(root / "top/kustomization.yaml", {"resources": order})
    with trap() as server:
        rules = [{**RULE, "reads": [{"store": "main", "paths": ["build/**"]}]}, OTHER]
        environ = environment(tmp_path, server.address, rules=rules)
        done = krmfn("build", root / "top", **environ)
        assert (done.returncode, done.stdout) == (6, ""), done.stderr
        assert "[policy-denied]" in done.stderr
        assert server.came == []
