"""An author's repository against the platform's rules: nothing is read, and nobody is asked.

Every attack here has its line in docs/threat-model.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.function import resource_list
from tests.support.platform import RULE, SPEC, write_platform
from tests.support.policy_attacks import ATTACKS, OWN
from tests.support.trap import trap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao
    from tests.support.trap import Trap

KUBECTL = Path(sys.executable).parent / "kubectl"
# The rule allows more paths than it should, and there is another tenant with a key of his own.
READS = [{"store": "main", "paths": ["build/**", "krmfn/**"]}]
OTHER_KEY = {"store": "main", "key": "krmfn/other", "property": "key"}
KEYS = SPEC["derivationKeys"] | {"other": OTHER_KEY}
OTHER = {
    **RULE,
    "name": "other",
    "projects": ["other"],
    "namespaces": ["other"],
    "derivationKeys": ["other"],
    "reads": [{"store": "main", "paths": ["other/**"]}],
}
POLICY = {"rules": [{**RULE, "reads": READS}, OTHER], "derivationKeys": KEYS}


@pytest.fixture
def vault() -> Iterator[Trap]:
    """Stands where the platform's vault would."""
    with trap() as found:
        yield found


@pytest.fixture
def evil() -> Iterator[Trap]:
    """A server of the author's."""
    with trap() as found:
        yield found


@pytest.fixture
def environ(tmp_path: Path, vault: Trap) -> dict[str, str]:
    """The platform's environment: a policy, a vault and a token for it."""
    policy = write_platform(tmp_path / "platform/p.yaml", **POLICY)
    return {
        **policy,
        "VAULT_ADDR": vault.address,
        "VAULT_TOKEN": "s.the-platforms-own",
        "KRMFN_KUSTOMIZE": str(KUBECTL),
        "KRMFN_DEADLINE": "120",
    }


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """A repository that does nothing wrong yet."""
    return repo.repository(tmp_path / "r", "generator")


def config() -> dict[str, Any]:
    """A generator that names what the platform defines, and confirms its store."""
    value = repo.generator()
    value["metadata"]["namespace"] = "production"
    value["spec"] = json.loads(json.dumps(value["spec"]))
    value["spec"]["sealing"]["derivationKey"] = {"platform": "shop"}
    return value


def function(overlay: Path, value: Any, environ: dict[str, str]) -> tuple[int, str, str]:
    """As plain kustomize calls it in the overlay; returns exit code, output and errors."""
    done = krmfn(cwd=overlay, stdin=resource_list(value).decode(), **environ)
    return done.returncode, done.stdout, done.stderr


def build(overlay: Path, environ: dict[str, str]) -> tuple[int, str, str]:
    """As the sidecar does it."""
    done = krmfn("build", overlay, **environ)
    return done.returncode, done.stdout, done.stderr


def nothing(
    done: tuple[int, str, str], code: int, id_: str, *servers: Trap, silent: str = "the-platforms"
) -> None:
    """It failed as it should, printed nothing, and nobody was spoken to."""
    assert (done[0], done[1]) == (code, ""), done[2]
    errors = [line for line in done[2].splitlines() if not line.startswith("[warning]")]
    assert errors
    assert all(line.endswith(f"[{id_}]") for line in errors), errors
    assert silent not in done[2]
    for server in servers:
        assert server.came == []


@pytest.mark.parametrize("route", ["function", "build"])
def test_the_trap_can_spring(
    route: str, overlay: Path, environ: dict[str, str], vault: Trap, evil: Trap
) -> None:
    """Without an attack the vault is asked, so that being asked nothing means something."""
    repo.write(overlay / "krmfn.yaml", config())
    done = function(overlay, config(), environ) if route == "function" else build(overlay, environ)
    assert done[0] == 3
    assert done[1] == ""
    assert any(b"s.the-platforms-own" in came for came in vault.came)
    assert evil.came == []


@pytest.mark.parametrize("name", ATTACKS)
def test_it_gets_nothing(
    name: str, overlay: Path, environ: dict[str, str], vault: Trap, evil: Trap
) -> None:
    """As a function of plain kustomize."""
    change, code, id_ = ATTACKS[name]
    value = config()
    change(value, overlay, evil)
    nothing(function(overlay, value, environ), code, id_, vault, evil)


# A build seals for the namespace of the kustomization, which the attack has set too.
@pytest.mark.parametrize("name", ATTACKS)
def test_it_gets_nothing_from_a_build(
    name: str, overlay: Path, environ: dict[str, str], vault: Trap, evil: Trap
) -> None:
    """The same configuration, built by `krmfn build`."""
    change, code, id_ = ATTACKS[name]
    value = config()
    change(value, overlay, evil)
    repo.write(overlay / "krmfn.yaml", value)
    nothing(build(overlay, environ), code, id_, vault, evil)


@pytest.mark.parametrize("way", ["patch", "replacement"])
def test_a_certificate_brought_in_by_kustomize(
    way: str, tmp_path: Path, environ: dict[str, str], vault: Trap
) -> None:
    """What counts is the configuration as it is built, not as its file reads."""
    kind = "SealedSecretTransformer"
    if way == "patch":
        operation = {"op": "replace", "path": "/spec/sealing/certificate/pem", "value": OWN}
        fields = {"patches": [{"patch": json.dumps([operation]), "target": {"kind": kind}}]}
    else:
        fields = _replacement(kind, "metadata.annotations.pem")
    overlay = _configs(tmp_path, fields)
    nothing(build(overlay, environ), 6, "policy-denied", vault)


def test_a_certificate_in_an_object_of_another_kind(
    tmp_path: Path, environ: dict[str, str], vault: Trap
) -> None:
    """A directory of configurations holds krmfn's own and builtin ones, also beside local-config."""
    overlay = _configs(tmp_path, _replacement("ConfigMap", "data.pem"))
    local = {"config.kubernetes.io/local-config": "true"}
    source = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"pem": OWN}}
    repo.write(
        overlay / "hidden/c.yaml", source | {"metadata": {"name": "c", "annotations": local}}
    )
    repo.change(overlay / "hidden", resources=["krmfn.yaml", "c.yaml"])
    nothing(build(overlay, environ), 2, "foreign", vault)


def _replacement(kind: str, path: str) -> dict[str, Any]:
    """Fields that put what stands at a path of an object into the certificate."""
    targets = [
        {
            "select": {"kind": "SealedSecretTransformer"},
            "fieldPaths": ["spec.sealing.certificate.pem"],
        }
    ]
    return {"replacements": [{"source": {"kind": kind, "fieldPath": path}, "targets": targets}]}


def _configs(tmp_path: Path, fields: dict[str, Any]) -> Path:
    """A repository whose transformer comes from a directory with these fields; returns its overlay."""
    overlay = repo.repository(tmp_path / "r")
    value = repo.transformer()
    value["metadata"].setdefault("annotations", {})["pem"] = OWN
    value["spec"] = json.loads(json.dumps(value["spec"]))
    value["spec"]["sealing"]["certificate"] = {"pem": repo.PEM}
    repo.write(overlay / "hidden/krmfn.yaml", value)
    repo.write(overlay / "hidden/kustomization.yaml", {"resources": ["krmfn.yaml"]} | fields)
    repo.change(overlay, transformers=["hidden", "marker.yaml"])
    return overlay


@pytest.mark.parametrize("command", ["build", "plan"])
def test_one_right_and_one_wrong_transformer(
    command: str, tmp_path: Path, environ: dict[str, str], vault: Trap
) -> None:
    """Nothing is read for the one when the other is denied."""
    repo.repository(tmp_path / "r")
    outer = tmp_path / "r/outer"
    wrong = repo.transformer()
    wrong["spec"] = {
        "sealing": {**repo.SEALING, "certificate": {"pem": OWN}},
        "stores": repo.STORES,
    }
    wrong["metadata"]["name"] = "wrong"
    repo.write(outer / "wrong.yaml", wrong)
    marker = (tmp_path / "r/overlays/production/marker.yaml").read_text()
    (outer / "marker.yaml").write_text(marker)
    claim = repo.claim()
    claim["metadata"]["name"] = "second"
    repo.write(outer / "claim.yaml", claim)
    fields = {
        "resources": ["../overlays/production", "claim.yaml"],
        "namespace": "production",
        "transformers": ["wrong.yaml", "marker.yaml"],
    }
    repo.write(outer / "kustomization.yaml", fields)
    done = krmfn(command, outer, **environ)
    output = "" if command == "plan" else done.stdout
    nothing((done.returncode, output, done.stderr), 6, "policy-denied", vault)


@pytest.mark.parametrize("fact", ["ARGOCD_APP_PROJECT_NAME", "ARGOCD_APP_SOURCE_REPO_URL"])
def test_another_project_or_repository(
    fact: str, overlay: Path, environ: dict[str, str], vault: Trap
) -> None:
    """The same configuration elsewhere belongs to another team."""
    environ[fact] = "https://git.example/other/x"
    nothing(function(overlay, config(), environ), 6, "policy-denied", vault)


@pytest.mark.parametrize("route", ["function", "build", "claims-only", "seal"])
@pytest.mark.parametrize("way", ["absent", "relative", "gone", "invalid", "inside", "writable"])
def test_no_policy_is_not_a_free_pass(  # noqa: PLR0917  # fixtures
    route: str, way: str, overlay: Path, tmp_path: Path, environ: dict[str, str], vault: Trap
) -> None:
    """Where Argo CD calls, a policy that cannot be relied on is none, and nothing is built."""
    environ["ARGOCD_APP_NAME"] = "shop"
    repo.write(overlay / "krmfn.yaml", config())
    inside = overlay / "p.yaml"
    inside.write_text(Path(environ["KRMFN_CONFIG"]).read_text())
    if way == "invalid":
        Path(environ["KRMFN_CONFIG"]).write_text("rules: everything\n")
    environ["KRMFN_CONFIG"] = {
        "absent": "",
        "relative": "platform/p.yaml",
        "gone": "/nowhere/p.yaml",
        "inside": str(inside),
    }.get(way, environ["KRMFN_CONFIG"])
    if route == "function":
        done = function(overlay, config(), environ)
    elif route == "seal":
        file = repo.write(tmp_path / "t.yaml", repo.transformer())
        stream = json.dumps(repo.claim())
        sealed = krmfn("seal", "--config", file, stdin=stream, **environ)
        done = (sealed.returncode, sealed.stdout, sealed.stderr)
    elif route == "claims-only":
        left = krmfn("build", "--claims-only", overlay, **environ)
        done = (left.returncode, left.stdout, left.stderr)
    else:
        done = build(overlay, environ)
    nothing(done, 6, "policy-file", vault)


def test_what_users_of_argo_can_set(
    overlay: Path, environ: dict[str, str], vault: Trap, evil: Trap
) -> None:
    """`spec.source.plugin.env` and parameters give no address, policy, namespace or token."""
    names = ("VAULT_ADDR", "KRMFN_CONFIG", "KRMFN_ROOT", "KRMFN_NAMESPACE", "VAULT_TOKEN")
    for name in names:
        environ[f"ARGOCD_ENV_{name}"] = evil.address
    environ["ARGOCD_APP_PARAMETERS"] = json.dumps([{"name": n, "string": "x"} for n in names])
    environ |= {"PARAM_VAULT_ADDR": evil.address}
    done = function(overlay, config(), environ)
    assert done[0] == 3
    assert vault.came
    assert evil.came == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_from_the_environment(
    name: str, overlay: Path, environ: dict[str, str], vault: Trap, evil: Trap
) -> None:
    """The vault is asked by the shortest way."""
    environ |= {name: evil.address}
    function(overlay, config(), environ)
    assert vault.came
    assert evil.came == []


def test_the_destination_is_argos(
    overlay: Path, environ: dict[str, str], vault: Trap, tmp_path: Path
) -> None:
    """A namespace from anywhere else, were it from KRMFN_NAMESPACE, is not that of the rule."""
    environ |= write_platform(
        tmp_path / "platform/p.yaml",
        **POLICY | {"rules": [RULE | {"namespaces": ["$destination"]}]},
    )
    value = config()
    del value["metadata"]["namespace"]
    repo.change(overlay, namespace=None)
    environ |= {"KRMFN_NAMESPACE": "other", "ARGOCD_APP_NAMESPACE": "production"}
    nothing(function(overlay, value, environ), 6, "policy-denied", vault)
    value["metadata"]["namespace"] = "other"
    del environ["KRMFN_NAMESPACE"]
    nothing(function(overlay, value, environ), 6, "policy-denied", vault)


def test_a_hundred_megabytes(overlay: Path, environ: dict[str, str], vault: Trap) -> None:
    """A configuration of that size is refused before it is understood."""
    value = config()
    value["metadata"]["labels"] = {"x": "x" * 100_000_000}
    nothing(function(overlay, value, environ), 6, "policy-limit", vault)


def test_a_hundred_megabytes_of_files(overlay: Path, environ: dict[str, str], vault: Trap) -> None:
    """And so is a build that needs so many."""
    for number in range(3):
        (overlay / f"f{number}").write_bytes(b"x" * 15_000_000)
    repo.write(overlay / "krmfn.yaml", config())
    repo.change(overlay, configMapGenerator=[{"name": "x", "files": ["f0", "f1", "f2"]}])
    nothing(build(overlay, environ), 6, "policy-limit", vault)


@pytest.mark.parametrize("route", ["function", "build"])
def test_a_yaml_bomb(route: str, overlay: Path, environ: dict[str, str], vault: Trap) -> None:
    """Aliases that multiply are refused in every reader."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 9):
        lines.append(f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]")
    bomb = "\n".join(lines)
    if route == "build":
        (overlay / "krmfn.yaml").write_text(f"apiVersion: {repo.API}\nkind: X\n{bomb}\n")
        done = build(overlay, environ)
    else:
        text = f"kind: ResourceList\nitems: []\nfunctionConfig:\n  {bomb}".replace("\na", "\n  a")
        called = krmfn(cwd=overlay, stdin=text, **environ)
        done = (called.returncode, called.stdout, called.stderr)
    nothing(done, 2, "yaml", vault)


def test_a_claim_brings_no_certificate(
    tmp_path: Path, environ: dict[str, str], vault: Trap
) -> None:
    """Certificate, key, stores and epoch are the outermost overlay's."""
    overlay = repo.repository(tmp_path / "r")
    value = repo.claim()
    value["spec"] |= {"sealing": {"certificate": {"pem": OWN}}}
    repo.write(tmp_path / "r/base/claims.yaml", value)
    nothing(build(overlay, environ), 2, "spec", vault)


def test_a_foreign_claim_is_not_sealed(
    tmp_path: Path, environ: dict[str, str], vault: Trap
) -> None:
    """An ExternalSecret in the stream passes through as it came, and nothing is read for it."""
    overlay = repo.repository(tmp_path / "r", "claims")
    external = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "db"},
        "spec": {"data": [{"secretKey": "k", "remoteRef": {"key": "build/db"}}]},
    }
    repo.write(tmp_path / "r/base/claims.yaml", external)
    code, output, errors = build(overlay, environ)
    assert (code, errors) == (0, "")
    assert "kind: ExternalSecret\n" in output
    assert "SealedSecret" not in output
    assert vault.came == []


@pytest.mark.parametrize("path", ["build/db", "build/never-written", "build/secret/deeper"])
def test_denied_and_missing_look_alike(
    path: str, overlay: Path, openbao: OpenBao, tmp_path: Path
) -> None:
    """Whether a denied path exists is not told, and nothing like it is suggested."""
    repo.seed(openbao)
    reads = [{"store": "main", "paths": ["shop/**"]}]
    environ = {**openbao.environ, **write_platform(tmp_path / "p.yaml", rule={"reads": reads})}
    value = config()
    value["spec"]["secrets"][0]["data"][0]["remoteRef"]["key"] = path
    code, output, errors = function(overlay, value, environ)
    assert (code, output) == (6, "")
    assert errors.replace(path, "PATH") == (
        "[error] krmfn.yaml: SealedSecretGenerator/shop: db: password: main:PATH: no rule allows "
        "it: shop-production comes nearest and fails in reads; ask for less, or ask the platform's "
        "owners for a rule [policy-denied]\n"
    )


def test_other_tenants_rules_are_not_named(
    overlay: Path, environ: dict[str, str], vault: Trap
) -> None:
    """A tenant without a rule learns of no other tenant's rule."""
    environ["ARGOCD_APP_PROJECT_NAME"] = "third"
    done = function(overlay, config(), environ)
    nothing(done, 6, "policy-denied", vault, silent="shop-production")
    assert "other" not in done[2]


@pytest.mark.parametrize("route", ["function", "build"])
def test_what_is_allowed_is_sealed(
    route: str, overlay: Path, openbao: OpenBao, tmp_path: Path
) -> None:
    """The same policy lets its own tenant through, by name and by confirmation, with one result."""
    repo.seed(openbao)
    environ = {
        **openbao.environ,
        **write_platform(tmp_path / "p.yaml"),
        "KRMFN_KUSTOMIZE": str(KUBECTL),
    }
    results = set()
    for store in ({"platform": True}, {"vault": {"path": "secret", "id": "platform"}}):
        for certificate in ({"platform": "production"}, {"file": "certs/c.pem"}):
            value = config()
            value["spec"]["stores"]["main"] = store
            value["spec"]["sealing"]["certificate"] = certificate
            repo.write(overlay / "krmfn.yaml", value)
            done = (
                build(overlay, environ) if route == "build" else function(overlay, value, environ)
            )
            assert (done[0], done[2]) == (0, "")
            results.add(done[1].split("encryptedData")[1][:200])
    assert len(results) == 1


def test_the_exec_function_route_obeys_it(
    tmp_path: Path, plugins: dict[str, str], environ: dict[str, str], vault: Trap
) -> None:
    """Plain kustomize with krmfn as a plugin fails as `krmfn build` does."""
    overlay = repo.repository(tmp_path / "r", "generator", "")
    value = repo.generator("")
    value["spec"]["sealing"] = {**repo.SEALING, "certificate": {"pem": OWN}}
    repo.write(overlay / "krmfn.yaml", value)
    done = subprocess.run(
        [KUBECTL, "kustomize", "--enable-alpha-plugins", overlay],
        env=plugins | environ,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "[policy-denied]" in done.stderr
    assert vault.came == []
