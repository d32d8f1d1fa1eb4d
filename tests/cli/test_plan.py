"""`krmfn plan`: what a build would read and seal, and never a value."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.platform import APPLICATION, PIN, RULE, write_platform
from tests.support.trap import trap

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = {"KRMFN_KUSTOMIZE": str(Path(sys.executable).parent / "kubectl")}


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    return repo.repository(tmp_path / "r")


def plan(*arguments: str | Path, **environ: str) -> tuple[int, str, list[str]]:
    done = krmfn("plan", *arguments, **KUBECTL, **environ)
    assert repo.VALUE not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr.splitlines()


def as_json(*arguments: str | Path, **environ: str) -> tuple[int, dict[str, Any]]:
    code, output, _ = plan("--json", *arguments, **environ)
    return code, json.loads(output)


def claim(overlay: Path, *data: dict[str, Any], **more: Any) -> None:
    """Change what the base's claim asks for."""
    value = repo.claim()
    value["spec"] = {**value["spec"], "data": list(data), **more}
    repo.write(overlay.parents[1] / "base/claims.yaml", value)


def test_offline_asks_nobody(overlay: Path) -> None:
    """From git alone: an address that nobody may speak to, and no token."""
    with trap() as vault:
        code, output, errors = plan("--offline", overlay, VAULT_ADDR=vault.address)
        assert vault.came == []
    assert (code, errors) == (0, [])
    assert output.splitlines() == [
        str(overlay),
        "└── production/db: scope strict; deterministic; certificate 2f974d31ced57d8a "
        "(expires 2056-01-01); derivation key main:krmfn/derivation; keys password",
        "    └── main:build/db: password",
    ]


def test_json(overlay: Path, openbao: OpenBao) -> None:
    """The documented shape, whole."""
    repo.seed(openbao)
    code, found = as_json(overlay, **openbao.environ)
    assert code == 0
    assert found == {
        "overlays": [
            {
                "directory": str(overlay),
                "policy": False,
                "secrets": [
                    {
                        "namespace": "production",
                        "name": "db",
                        "scope": "strict",
                        "mode": "deterministic",
                        "keys": ["password"],
                        "certificate": {"sha256": PIN, "expires": "2056-01-01T00:00:00+00:00"},
                        "derivationKey": "main:krmfn/derivation",
                        "problem": None,
                        "decision": None,
                        "reads": [
                            {
                                "store": "main",
                                "path": "build/db",
                                "version": None,
                                "properties": ["password"],
                                "exists": True,
                                "problem": None,
                                "decision": None,
                            }
                        ],
                    }
                ],
            }
        ]
    }


def entry(key: str, path: str, **more: Any) -> dict[str, Any]:
    return {"secretKey": key, "remoteRef": {"key": path, **more}}


def test_what_is_missing(overlay: Path, openbao: OpenBao) -> None:
    """A path and a property that are not there: exit code 3, each with its line."""
    repo.seed(openbao)
    claim(
        overlay,
        entry("a", "build/gone", property="x"),
        entry("b", "build/db", property="gone"),
        entry("c", "build/db", property="password", version=7),
    )
    code, output, errors = plan(overlay, **openbao.environ)
    assert code == 3
    assert [line.rsplit(" ", 1)[1] for line in errors] == [
        "[not-found]",
        "[property-missing]",
        "[version-missing]",
    ]
    assert "main:build/db version 7: password: there is no version 7" in output


def test_a_key_that_is_none(overlay: Path, openbao: OpenBao) -> None:
    """What cannot derive is told before a build finds out."""
    repo.seed(openbao)
    value = repo.transformer()
    key = {"store": "main", "key": "build/db", "property": "password"}
    value["spec"]["sealing"] = {**repo.SEALING, "derivationKey": key}
    repo.write(overlay / "krmfn.yaml", value)
    code, output, errors = plan(overlay, **openbao.environ)
    assert (code, len(errors)) == (4, 1)
    assert errors[0].endswith("[derivation-key]")
    assert "cannot be sealed: the derivation key" in output


@pytest.mark.parametrize("offline", [["--offline"], []])
def test_denied(offline: list[str], overlay: Path, tmp_path: Path) -> None:
    """Exit code 6, the nearest rule and its failed conditions; nobody is asked."""
    claim(overlay, *repo.DATA, entry("x", "other/x", property="y"))
    environ = write_platform(tmp_path / "p.yaml")
    with trap() as vault:
        environ |= {"VAULT_ADDR": vault.address, "VAULT_TOKEN": "s.x"}
        code, output, errors = plan(*offline, "--explain", overlay, **environ)
        assert vault.came == []
    assert code == 6
    assert len(errors) == 1
    assert errors[0].endswith("[policy-denied]")
    lines = [line.strip("│└├─ ") for line in output.splitlines()[2:]]
    assert lines == [
        "main:build/db: password",
        "allowed by rule shop-production",
        "main:other/x: y: denied",
        "denied: no rule allows it: shop-production comes nearest and fails in reads",
    ]


def test_allowed_and_there(overlay: Path, tmp_path: Path, openbao: OpenBao) -> None:
    """The decision as JSON, and the check behind it."""
    repo.seed(openbao)
    environ = write_platform(tmp_path / "p.yaml") | openbao.environ
    code, found = as_json(overlay, **environ)
    (one,) = found["overlays"][0]["secrets"]
    assert (code, found["overlays"][0]["policy"]) == (0, True)
    assert one["derivationKey"] == "shop"
    assert one["reads"][0]["exists"] is True
    assert one["reads"][0]["decision"] == {
        "allowed": True,
        "rule": "shop-production",
        "nearest": None,
        "failed": [],
        "never": None,
    }


def test_the_application_can_be_told(overlay: Path, tmp_path: Path) -> None:
    """On a laptop nobody says project and repository; three options do."""
    environ = write_platform(tmp_path / "p.yaml")
    environ = {k: v for k, v in environ.items() if k not in APPLICATION}
    code, _, errors = plan("--offline", overlay, **environ)
    assert code == 6
    assert "no rule of the platform is for this project" in errors[0]
    told = ["--project", "shop", "--repository", "https://git.example/shop/x"]
    assert plan("--offline", *told, overlay, **environ)[0] == 0


def test_explain_without_a_policy(overlay: Path) -> None:
    """It says that there is none."""
    output = plan("--offline", "--explain", overlay)[1]
    assert "no policy: KRMFN_CONFIG is not set" in output


def test_several_overlays(overlay: Path, tmp_path: Path) -> None:
    """Each with its own, and what seals nothing says so."""
    none = repo.repository(tmp_path / "none", "claims")
    repo.write(tmp_path / "none/base/claims.yaml", repo.DEPLOYMENT | {"metadata": {"name": "b"}})
    code, output, _ = plan("--offline", overlay, none)
    assert code == 0
    assert f"{none}: nothing to seal" in output
    code, found = as_json("--offline", overlay, none)
    assert [len(o["secrets"]) for o in found["overlays"]] == [1, 0]


def test_whole_secrets_and_templates(overlay: Path, openbao: OpenBao) -> None:
    """Keys that only a read can tell are not told; a template's are, and its sources."""
    repo.seed(openbao)
    claim(overlay, dataFrom=[{"extract": {"key": "build/db"}}])
    code, found = as_json(overlay, **openbao.environ)
    (one,) = found["overlays"][0]["secrets"]
    assert (code, one["keys"], one["reads"][0]["properties"]) == (0, [], ["*"])
    claim(overlay, *repo.DATA, template={"data": {"url": "{{ .password }}"}})
    (one,) = as_json("--offline", overlay)[1]["overlays"][0]["secrets"]
    assert one["keys"] == ["url"]


def test_piped_text_is_stable(overlay: Path) -> None:
    """Neither the terminal's width nor its colours count where there is no terminal."""
    plain = plan("--offline", overlay)[1]
    assert plan("--offline", overlay, COLUMNS="20", TERM="xterm-256color")[1] == plain
    assert "\x1b" not in plain


def test_over_the_limits(overlay: Path, tmp_path: Path) -> None:
    """A plan that asks for too much is refused like its build."""
    environ = write_platform(tmp_path / "p.yaml", limits={"keys": 1}, rule=RULE)
    claim(overlay, *repo.DATA, entry("b", "build/db", property="password"))
    code, output, errors = plan("--offline", overlay, **environ)
    assert (code, output) == (6, "")
    assert errors[0].endswith("[policy-limit]")


def test_the_page_tells_every_field(overlay: Path) -> None:
    """docs/plan.md names all that the JSON holds."""
    page = (ROOT / "docs/plan.md").read_text()

    def fields(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(fields, value.values()))
        return set().union(*map(fields, value)) if isinstance(value, list) else set()

    found = fields(as_json("--offline", overlay)[1])
    found |= {"allowed", "rule", "nearest", "failed", "never"}
    assert {f for f in found if f"`{f}`" not in page} == set()


CANNOT_BE = {
    "a path with a slash at its end": {"path": "secret//kv"},
    "a namespace that is no path": {"namespace": "a%2fb"},
    "a namespace to log in to": {"authNamespace": "../b"},
    "an auth mount that is no path": {
        "auth": {"userPass": {"path": "a?b", "username": "u", "secretRef": {"env": "PW"}}}
    },
    "plain http to another machine": {"server": "http://vault.example:8200"},
    "a server that is no address": {"server": "https://vault.example/v1"},
    "no login at another machine": {"server": "https://vault.example", "auth": {"none": {}}},
    "a CA outside of the repository": {"caFile": "../../../ca.pem"},
    "a CA that is not there": {"caFile": "absent.pem"},
    "a CA that is no PEM": {"caFile": "kustomization.yaml"},
    "a bundle that is not base64": {"caBundle": "***"},
    "a bundle that is no PEM": {"caBundle": "aGVsbG8="},
}


@pytest.mark.parametrize("fields", CANNOT_BE.values(), ids=CANNOT_BE)
def test_offline_refuses_a_store_that_a_build_refuses(
    fields: dict[str, Any], overlay: Path
) -> None:
    """The same error with the same code, without a server, a credential or an address."""
    value = repo.transformer()
    value["spec"]["stores"]["main"]["vault"] |= fields
    repo.write(overlay / "krmfn.yaml", value)
    address = "https://vault.example"
    code, _, offline = plan("--offline", overlay)
    built = krmfn("build", overlay, **KUBECTL, VAULT_ADDR=address, VAULT_TOKEN="t", PW="p")
    assert code == built.returncode != 0
    (error,) = offline
    assert error[error.rindex("[") :] in built.stderr


@pytest.mark.parametrize(
    "reference",
    [
        {"key": "/app/db"},
        {"key": "a//b"},
        {"key": "a", "property": "x..y"},
        {"key": "a", "property": "x\\y"},
    ],
)
def test_offline_refuses_a_reference_that_a_build_refuses(
    reference: dict[str, str], overlay: Path, openbao: OpenBao
) -> None:
    """A path or a property that can be none."""
    repo.seed(openbao)
    openbao.write("secret", "a", {"x": "1"})
    claim(overlay, {"secretKey": "k", "remoteRef": reference})
    code, _, errors = plan("--offline", overlay)
    built = krmfn("build", overlay, **KUBECTL, **openbao.environ)
    assert (code, built.returncode) == (2, 2)
    assert all("db: " in error for error in errors)


@pytest.mark.parametrize("file", ["absent.age", "../../../outside.age", "/etc/hostname"])
def test_offline_looks_for_an_age_file(overlay: Path, file: str) -> None:
    """It is the repository's, so that it has to be there; the identity is not needed."""
    value = repo.transformer()
    value["spec"]["stores"]["main"] = {"age": {"file": file}}
    value["spec"]["sealing"] |= {"mode": "random"}
    del value["spec"]["sealing"]["derivationKey"]
    repo.write(overlay / "krmfn.yaml", value)
    code, _, errors = plan("--offline", overlay)
    assert (code, "stores.main.age.file" in errors[0]) == (2, True)
    (overlay / "there.age").write_text("x")
    value["spec"]["stores"]["main"] = {"age": {"file": "there.age"}}
    repo.write(overlay / "krmfn.yaml", value)
    assert plan("--offline", overlay)[::2] == (0, [])


def test_offline_leaves_the_machine_alone(overlay: Path) -> None:
    """What is the machine's, as an absolute CA file, a credential and an address, is not looked at."""
    value = repo.transformer()
    value["spec"]["stores"]["main"]["vault"] |= {
        "server": "https://vault.example:8200",
        "caFile": "/etc/krmfn/absent.pem",
        "auth": {"kubernetes": {"role": "krmfn"}},
    }
    repo.write(overlay / "krmfn.yaml", value)
    assert plan("--offline", overlay)[::2] == (0, [])
    built = krmfn("build", overlay, **KUBECTL, VAULT_ADDR="https://vault.example:8200")
    assert (built.returncode, "/etc/krmfn/absent.pem" in built.stderr) == (3, True)
