"""Names by content and checksums, under every kustomize and by `krmfn build`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.test_shop import DERIVATION_KEY, opened
from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATE = (ROOT / "examples/shop/certs/controller.pem").read_text()
FUNCTION = {"config.kubernetes.io/function": "exec: {path: krmfn}"}


def write(directory: Path, **files: Any) -> None:
    """JSON files, which are YAML."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        text = "\n---\n".join(map(json.dumps, value if isinstance(value, list) else [value]))
        (directory / f"{name}.yaml").write_text(text)


def config(kind: str, **spec: Any) -> dict[str, Any]:
    """One of krmfn's configurations."""
    return {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "app", "annotations": FUNCTION},
        "spec": spec,
    }


SEALING: dict[str, Any] = {
    "sealing": {
        "certificate": {"pem": CERTIFICATE},
        "derivationKey": {"store": "main", "key": "krmfn/derivation", "property": "key"},
    },
    "stores": {"main": {"vault": {"path": "secret", "id": "platform"}}},
}
SHAPE: dict[str, Any] = {"store": "main", "dataFrom": [{"extract": {"key": "hash/db"}}]}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "app"},
    "spec": {
        "template": {
            "spec": {
                "containers": [{"name": "app", "envFrom": [{"secretRef": {"name": "db"}}]}],
                "volumes": [{"name": "v", "secret": {"secretName": "db"}}],
            }
        }
    },
}
OTHER = DEPLOYMENT | {
    "metadata": {"name": "other"},
    "spec": {"template": {"spec": {"containers": [{"name": "other"}]}}},
}
MARKER = {
    "apiVersion": "builtin",
    "kind": "PatchTransformer",
    "metadata": {"name": "marker"},
    "patch": "{apiVersion: v1, kind: ConfigMap, "
    "metadata: {name: krmfn-was-skipped-add---enable-exec}, $patch: delete}",
}


@pytest.fixture
def environ(plugins: dict[str, str], openbao: OpenBao) -> dict[str, str]:
    """krmfn on PATH, and a vault with the values."""
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "hash/db", {"password": "one"})
    return plugins | openbao.environ


def layout(directory: Path, route: str, **shape: Any) -> Path:
    """A base with the workloads, an overlay with prefix and namespace."""
    claim = config("SecretClaim", **SHAPE, **shape)
    claim["metadata"] = {"name": "db"}
    overlay: dict[str, Any] = {"namespace": "production", "validators": ["validator.yaml"]}
    if route == "transformer":
        write(directory / "base", kustomization={"resources": ["all.yaml"]})
        write(directory / "base", all=[DEPLOYMENT, OTHER, claim])
        overlay |= {"resources": ["../base"], "namePrefix": "p-"}
        overlay["transformers"] = ["krmfn.yaml", "marker.yaml"]
        write(directory / "prod", krmfn=config("SealedSecretTransformer", **SEALING))
        write(directory / "prod", marker=MARKER)
    else:
        overlay |= {"resources": ["all.yaml"], "generators": ["krmfn.yaml"]}
        overlay["patches"] = [{"patch": MARKER["patch"]}]
        secrets = [{"name": "db", **SHAPE, **shape}]
        write(directory / "prod", all=[DEPLOYMENT, OTHER])
        write(
            directory / "prod",
            krmfn=config("SealedSecretGenerator", secrets=secrets, **SEALING),
        )
    write(directory / "prod", kustomization=overlay, validator=config("SealedSecretValidator"))
    return directory / "prod"


def build(command: list[Any], environ: dict[str, str]) -> dict[tuple[str, str], Any]:
    """The resources of a build, by kind and name."""
    done = subprocess.run(command, env=environ, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found = yaml.safe_load_all(done.stdout)
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def by_kustomize(version: str, overlay: Path) -> list[Any]:
    """`kustomize build` with the functions."""
    return [tool("kustomize", version), "build", "--enable-alpha-plugins", "--enable-exec", overlay]


def by_krmfn(version: str, overlay: Path) -> list[Any]:
    """`krmfn build`."""
    return [sys.executable, "-P", "-m", "krmfn", "build", overlay]


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
@pytest.mark.parametrize("how", [by_kustomize, by_krmfn])
@pytest.mark.parametrize("route", ["generator", "transformer"])
def test_a_new_value_is_a_new_name(  # noqa: PLR0917  # pytest's way
    version: str, how: Any, route: str, tmp_path: Path, environ: dict[str, str], openbao: OpenBao
) -> None:
    """SealedSecret and every reference get one name, which changes with the value and back."""
    overlay = layout(tmp_path, route, nameSuffixHash=True)
    environ = environ | {
        "KRMFN_KUSTOMIZE": str(tool("kustomize", version)),
        "KRMFN_ROOT": str(tmp_path),
    }
    names = []
    for value in ("one", "two", "one"):
        openbao.write("secret", "hash/db", {"password": value})
        found = build(how(version, overlay), environ)
        prefix = "p-" if route == "transformer" else ""
        ((_, name),) = [key for key in found if key[0] == "SealedSecret"]
        assert re.fullmatch(f"{prefix}db-[a-z2-7]{{10}}", name)
        assert opened(found["SealedSecret", name]) == {"password": value}
        pod = found["Deployment", f"{prefix}app"]["spec"]["template"]["spec"]
        assert pod["containers"][0]["envFrom"][0]["secretRef"]["name"] == name
        assert pod["volumes"][0]["secret"]["secretName"] == name
        assert not [key for key in found if key[0] in ("Secret", "ConfigMap", "SecretClaim")]
        names.append(name)
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
@pytest.mark.parametrize("how", [by_kustomize, by_krmfn])
def test_a_new_value_is_a_new_checksum(
    version: str, how: Any, tmp_path: Path, environ: dict[str, str], openbao: OpenBao
) -> None:
    """The pods that use the Secret get a checksum, which changes with the value alone."""
    overlay = layout(tmp_path, "transformer", checksumAnnotation=True)
    environ = environ | {
        "KRMFN_KUSTOMIZE": str(tool("kustomize", version)),
        "KRMFN_ROOT": str(tmp_path),
    }

    def checksum() -> str:
        found = build(how(version, overlay), environ)
        assert ("SealedSecret", "p-db") in found
        assert "metadata" not in found["Deployment", "p-other"]["spec"]["template"]
        template = found["Deployment", "p-app"]["spec"]["template"]
        (value,) = template["metadata"]["annotations"].values()
        return str(value)

    first = checksum()
    assert re.fullmatch("[0-9a-f]{32}", first)
    krmfn = json.loads((overlay / "krmfn.yaml").read_text())
    krmfn["spec"]["sealing"]["epoch"] = "2"
    (overlay / "krmfn.yaml").write_text(json.dumps(krmfn))
    assert checksum() == first
    openbao.write("secret", "hash/db", {"password": "two"})
    assert checksum() != first
