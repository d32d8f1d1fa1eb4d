"""`krmfn import`: from what people have to krmfn's files, and from those to the same Secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pyrage
import pytest
import yaml

from krmfn.stores.age.file import open_file
from tests.support import imports
from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.imports import AVP, CANARY, EXTERNAL
from tests.support.platform import write_platform

if TYPE_CHECKING:
    import subprocess

    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests/vectors"


def imported(
    *arguments: str | Path, cwd: Path, code: int = 0, stdin: str = "", **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call, which never shows the canary."""
    done = krmfn("import", *arguments, cwd=cwd, stdin=stdin, **environ)
    assert done.returncode == code, done.stderr
    assert CANARY not in done.stdout + done.stderr
    return done


@pytest.fixture
def vault(openbao: OpenBao) -> OpenBao:
    """A vault that holds what the examples refer to, each version once."""
    repo.seed(openbao)
    for path, _ in imports.STORED:
        openbao.request("DELETE", f"secret/metadata/{path}")
    for path, fields in imports.STORED:
        openbao.write("secret", path, fields)
    return openbao


def emptied(bao: OpenBao, *paths: str) -> None:
    """The places are free."""
    for path in paths:
        bao.request("DELETE", f"secret/metadata/{path}")


# --- sealedsecret


def test_sealedsecret_skeleton(tmp_path: Path) -> None:
    """Name, namespace, scope, keys, type, labels and annotations of each, and where values are."""
    files = [
        VECTORS / f"sealed/{n}.json" for n in ("tls.namespace-wide", "edge-values.cluster-wide")
    ]
    done = imported("sealedsecret", *files, "--path-template", "k8s/{name}", cwd=tmp_path)
    _, tls = yaml.safe_load_all(done.stdout)
    assert tls == {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SecretClaim",
        "metadata": {"name": "web-tls", "namespace": "production"},
        "spec": {
            "store": "main",
            "scope": "namespace-wide",
            "data": [
                {
                    "secretKey": key,
                    "remoteRef": {"key": "k8s/web-tls", "property": key.replace(".", "\\.")},
                }
                for key in ("tls.crt", "tls.key")
            ],
            "template": {
                "type": "kubernetes.io/tls",
                "metadata": {
                    "labels": {"app.kubernetes.io/part-of": "logto"},
                    "annotations": {"example.com/note": "kept"},
                },
            },
        },
    }
    assert done.stderr == ""


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    """The same material gives the same text."""
    files = sorted((VECTORS / "sealed").glob("*.strict.json"))
    texts = [imported("sealedsecret", *f, cwd=tmp_path).stdout for f in (files, files[::-1])]
    assert texts[0] == texts[1]
    assert texts[0].count("kind: SecretClaim\n") == len(files)


@pytest.mark.parametrize("name", ["opaque", "tls", "basic-auth", "dockerconfigjson", "edge-values"])
def test_kubeseal_round_trip(name: str, tmp_path: Path, vault: OpenBao) -> None:
    """The plain Secret's values in the vault, the SealedSecret's entry: it opens to the Secret."""
    plain = json.loads((VECTORS / f"plain/{name}.json").read_text())
    meta = plain["metadata"]
    place = f"{meta['namespace']}/{meta['name']}"
    emptied(vault, place)
    config = imports.config(tmp_path / "config.yaml")
    arguments = ("--config", config, "--as", "generator")
    from_plain = imported(
        *("secret", VECTORS / f"plain/{name}.json", "--write-values", *arguments),
        cwd=tmp_path,
        **vault.environ,
    )
    assert from_plain.stderr == f"main:{place}: written\n"
    from_sealed = imported(
        "sealedsecret", VECTORS / f"sealed/{name}.strict.json", *arguments, cwd=tmp_path
    )
    text = from_plain.stdout
    if name != "edge-values":  # its bytes are kept as base64, which a SealedSecret does not tell
        assert from_sealed.stdout == text
    (secret,) = imports.built(tmp_path / "r", text, "generator", vault.environ).values()
    assert imports.data(secret) == imports.data(plain)
    assert secret.get("type") == plain.get("type")
    for field in ("labels", "annotations"):
        assert (secret["metadata"].get(field) or {}) == (meta.get(field) or {})


# --- secret and kustomization


SECRET = f"""\
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: production
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{{"data":"{CANARY}"}}'
    kustomize.config.k8s.io/needs-hash: "true"
  creationTimestamp: null
stringData:
  password: {CANARY}
  empty: ""
data:
  raw: /wA=
"""


def test_without_being_asked_nothing_is_written(tmp_path: Path) -> None:
    """The skeleton needs no vault, and says how the values get there."""
    (tmp_path / "s.yaml").write_text(SECRET)
    done = imported("secret", "s.yaml", cwd=tmp_path)
    assert done.stderr == (
        "note: the values are in no store yet: --write-values writes them to main\n"
    )
    (claim,) = yaml.safe_load_all(done.stdout)
    assert claim["spec"] == {
        "store": "main",
        "data": [
            {"secretKey": "empty", "remoteRef": {"key": "production/db", "property": "empty"}},
            {
                "secretKey": "password",
                "remoteRef": {"key": "production/db", "property": "password"},
            },
            {
                "secretKey": "raw",
                "remoteRef": {
                    "key": "production/db",
                    "property": "raw",
                    "decodingStrategy": "Base64",
                },
            },
        ],
        "nameSuffixHash": True,
    }


def test_values_go_to_the_vault_once(tmp_path: Path, vault: OpenBao) -> None:
    """Written where nothing is; the same again is no error and no new version."""
    emptied(vault, "production/db")
    for state in ("written", "there already, with the same values"):
        done = imported(
            "secret", "-", "--write-values", cwd=tmp_path, stdin=SECRET, **vault.environ
        )
        assert done.stderr == f"main:production/db: {state}\n"
    found = vault.request("GET", "secret/data/production/db")["data"]
    assert found["data"] == {"password": CANARY, "empty": "", "raw": "/wA="}
    assert found["metadata"]["version"] == 1


def test_nothing_is_overwritten(tmp_path: Path, vault: OpenBao) -> None:
    """A place that holds anything else ends it, before the free places are written to."""
    emptied(vault, "production/db", "production/aaa")
    vault.write("secret", "production/db", {"password": "other"})
    text = SECRET + "---\n" + SECRET.replace("name: db", "name: aaa")
    done = imported(
        "secret", "-", "--write-values", cwd=tmp_path, stdin=text, code=3, **vault.environ
    )
    assert done.stdout == ""
    assert done.stderr == (
        "[error] krmfn import: main:secret/production/db: something else is stored there, and is "
        "not replaced; remove it, or choose another --path-template [occupied]\n"
    )
    assert vault.request("GET", "secret/data/production/db")["data"]["metadata"]["version"] == 1
    listed = vault.request("LIST", "secret/metadata/production")["data"]["keys"]
    assert "aaa" not in listed


def test_a_token_that_may_not_write(tmp_path: Path, vault: OpenBao) -> None:
    """The answer names the capability that is missing."""
    emptied(vault, "production/db")
    token = vault.token_for('path "secret/data/*" { capabilities = ["read"] }')
    environ = vault.environ | {"VAULT_TOKEN": token}
    done = imported("secret", "-", "--write-values", cwd=tmp_path, stdin=SECRET, code=3, **environ)
    assert 'path "secret/data/production/db" { capabilities = ["create"] }' in done.stderr


def test_kv_1_cannot_promise(tmp_path: Path, vault: OpenBao) -> None:
    """Without check-and-set nothing is written."""
    vault.mount("import-one", "kv", version="1")
    config = imports.config(tmp_path / "c.yaml", main={"vault": {"path": "import-one"}})
    done = imported(
        *("secret", "-", "--write-values", "--config", config),
        cwd=tmp_path,
        stdin=SECRET,
        code=3,
        **vault.environ,
    )
    assert "the mount has no check-and-set; use a KV version 2 mount [occupied]" in done.stderr


def test_values_into_an_age_store(tmp_path: Path) -> None:
    """The encrypted file gets them, all at once, and keeps what it had."""
    made = krmfn("age", "init", "s.age", "--identity", "id", "--unbound", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    store = {"age": {"file": "s.age", "identityRef": {"file": "id"}}}
    config = imports.config(tmp_path / "c.yaml", local=store)
    arguments = ("--write-values", "--config", config, "--store", "local")
    for state in ("written", "there already, with the same values"):
        done = imported("secret", "-", *arguments, cwd=tmp_path, stdin=SECRET)
        assert f"local:production/db: {state}\n" in done.stderr
    identity = pyrage.x25519.Identity.from_str((tmp_path / "id").read_text().splitlines()[-1])
    file = open_file((tmp_path / "s.age").read_bytes(), [identity], name="s.age")
    assert file.secrets["production/db"] == {"password": CANARY, "empty": "", "raw": "/wA="}
    assert "krmfn/derivation" in file.secrets
    before = (tmp_path / "s.age").read_bytes()
    other = SECRET.replace("password:", "other:")
    done = imported("secret", "-", *arguments, cwd=tmp_path, stdin=other, code=3)
    assert "[error] krmfn import: local:production/db: something else is stored" in done.stderr
    assert (tmp_path / "s.age").read_bytes() == before


def test_values_into_the_platforms_store(tmp_path: Path, vault: OpenBao) -> None:
    """The policy says which store it is; without one it is refused, and nothing is sent."""
    config = imports.config(tmp_path / "c.yaml", main={"platform": True})
    arguments = ("secret", "-", "--write-values", "--config", config)
    done = imported(*arguments, cwd=tmp_path, stdin=SECRET, code=2, **vault.environ)
    assert "stores.main: it is the platform's to define, and there is no policy" in done.stderr
    environ = write_platform(tmp_path / "p/p.yaml") | vault.environ
    done = imported(*arguments, cwd=tmp_path, stdin=SECRET, **environ)
    assert "main:production/db: written\n" in done.stderr


def kustomization(directory: Path) -> Path:
    """A kustomization with all that a secretGenerator has."""
    directory.mkdir()
    (directory / "tls.crt").write_bytes(b"cert\n")
    (directory / "key.bin").write_bytes(b"\xff\x00")
    (directory / ".env").write_bytes(b"\xef\xbb\xbf# c\n  A=1 \r\n\nB=x=y\nQ='q'\nC\n")
    (directory / "kustomization.yaml").write_text(
        f"""\
namespace: production
generatorOptions:
  labels: {{team: a, app: general}}
  annotations: {{x: "1"}}
secretGenerator:
- name: app
  literals:
  - user=app
  - password='{CANARY}'
  - half="quoted
  - url=https://x?a=b
  - both="a"b"
  files: [tls.crt, k.bin=key.bin]
  envs: [.env]
  options:
    labels: {{app: own}}
    immutable: true
- name: registry
  type: kubernetes.io/basic-auth
  literals: [username=a, 'password={CANARY}']
  options: {{disableNameSuffixHash: true}}
"""
    )
    return directory


@pytest.mark.parametrize("form", ["claims", "generator"])
def test_kustomization_round_trip(form: str, tmp_path: Path, vault: OpenBao) -> None:
    """What is built opens to the Secrets that a real kustomize generates."""
    directory = kustomization(tmp_path / "k")
    emptied(vault, "production/app", "production/registry")
    config = imports.config(tmp_path / "config.yaml")
    done = imported(
        *("kustomization", directory, "--write-values", "--as", form, "--config", config),
        cwd=tmp_path,
        **vault.environ,
    )
    assert done.stderr == "main:production/app: written\nmain:production/registry: written\n"
    made = imports.built(tmp_path / "r", done.stdout, form, vault.environ)
    expected = imports.kustomized(directory)
    for (name, secret), other in zip(sorted(made.items()), expected, strict=True):
        assert imports.data(secret) == imports.data(other)
        assert secret.get("type", "Opaque") == other["type"]
        assert secret.get("immutable") == other.get("immutable")
        for field in ("labels", "annotations"):
            assert secret["metadata"].get(field) == other["metadata"].get(field)
        hashed = other["metadata"]["name"] != "registry"
        assert (name.startswith("app-") and len(name) == 14) if hashed else name == "registry"


def test_kustomization_is_left_alone(tmp_path: Path) -> None:
    """Files outside the repository are not read, and a merge is refused with its place."""
    directory = kustomization(tmp_path / "k")
    (tmp_path / "outside").write_text(f"A={CANARY}\n")
    (directory / ".git").mkdir()
    text = "secretGenerator:\n- name: a\n  namespace: n\n  behavior: merge\n  envs: [../outside]\n"
    (directory / "kustomization.yaml").write_text(text)
    done = imported("kustomization", "k", cwd=tmp_path, code=2)
    place = "[error] krmfn import: k/kustomization.yaml"
    assert done.stderr.splitlines() == [
        f"{place}:4:3: secretGenerator[0].behavior: the Secret is made from another one, which is "
        "not known here; write one entry with all keys where the Secret is first made "
        "[no-equivalent]",
        f"{place}:5:10: secretGenerator[0].envs[0]: ../outside is outside the repository; "
        "move it inside, or set KRMFN_ROOT [path]",
    ]


# --- externalsecret


@pytest.mark.parametrize("form", ["claims", "generator"])
def test_externalsecret_round_trip(form: str, tmp_path: Path, vault: OpenBao) -> None:
    """Each Secret is what the operator would make of the vault's values."""
    (tmp_path / "es.yaml").write_text(EXTERNAL)
    config = imports.config(tmp_path / "c.yaml")
    done = imported("externalsecret", "es.yaml", "--as", form, "--config", config, cwd=tmp_path)
    made = imports.built(tmp_path / "r", done.stdout, form, vault.environ)
    old = f"{CANARY}-old"
    coded = base64.b64encode(b"\xff\x00ca").decode()
    assert imports.data(made["checkout-db"]) == {
        "username": b"app",
        "password": old.encode(),
        "ca.crt": b"\xff\x00ca",
        "all.json": json.dumps({"ca.crt": coded}, separators=(",", ":")).encode(),
        "DATABASE_URL": f"postgres://app:{old}@db:5432/checkout".encode(),
        "app.ini": f'[db]\nuser = app\npassword = "{old}"\n'.encode(),
    }
    assert made["checkout-db"]["metadata"]["labels"] == {"app": "checkout"}
    assert imports.data(made["mail"]) == {"user": b"m", "pass": f"{CANARY}-mail".encode()}


def test_externalsecret_stores(tmp_path: Path) -> None:
    """The transformer has the store, its credential a file, and a note tells which."""
    (tmp_path / "es.yaml").write_text(EXTERNAL)
    done = imported("externalsecret", "es.yaml", "--as", "transformer", cwd=tmp_path)
    (transformer,) = yaml.safe_load_all(done.stdout)
    assert transformer["spec"] == {
        "sealing": {
            "certificate": {"file": "certs/controller.pem"},
            "derivationKey": {"store": "main", "key": "krmfn/derivation", "property": "key"},
        },
        "stores": {
            "main": {
                "vault": {
                    "server": "https://vault.example.com:8200",
                    "path": "secret",
                    "version": "v2",
                    "auth": {
                        "appRole": {
                            "path": "approle",
                            "roleId": "4b9d2c1e",
                            "secretRef": {"file": "/run/secrets/vault-approle/secret-id"},
                        }
                    },
                }
            }
        },
    }
    assert done.stderr.splitlines() == [
        "note: ClusterSecretStore/main: secret-id of Secret/vault-approle is expected as "
        "/run/secrets/vault-approle/secret-id; mount it there, or write {env: NAME} instead",
        "note: refreshInterval is gone: a value follows with the next build",
    ]


def test_a_dot_is_ambiguous(tmp_path: Path) -> None:
    """The operator tries the whole name first; krmfn asks which it is."""
    text = EXTERNAL.replace("'ca\\.crt'", "ca.crt")
    (tmp_path / "es.yaml").write_text(text)
    done = imported("externalsecret", "es.yaml", cwd=tmp_path, code=2)
    assert done.stderr == (
        "[error] krmfn import: es.yaml:54:34: ExternalSecret/checkout: "
        "spec.data[2].remoteRef.property: a dot may be part of the field's name, or lead into a "
        "nested object; say which: --dots literal or --dots nested [no-equivalent]\n"
    )
    for dots, expected in (("literal", "ca\\.crt"), ("nested", "ca.crt")):
        shown = imported("externalsecret", "es.yaml", "--dots", dots, cwd=tmp_path).stdout
        claim = next(yaml.safe_load_all(shown))
        (ref,) = (e["remoteRef"] for e in claim["spec"]["data"] if e["secretKey"] == "ca.crt")
        assert ref["property"] == expected


# --- avp


@pytest.mark.parametrize("form", ["claims", "generator"])
def test_avp_round_trip(form: str, tmp_path: Path, vault: OpenBao) -> None:
    """Each Secret is what the plugin would make of the vault's values."""
    config = imports.config(tmp_path / "c.yaml")
    arguments = ("avp", "-", "--as", form, "--config", config)
    done = imported(*arguments, cwd=tmp_path, stdin=AVP)
    made = imports.built(tmp_path / "r", done.stdout, form, vault.environ)
    new = f'{CANARY}"new'.encode()
    assert imports.data(made["checkout"]) == {
        "DB_USER": b"app",
        "DB_PASSWORD": new,
        "DATABASE_URL": b"postgres://app:" + new + b"@db:5432/checkout?opt={{x}}",
        "FIRST_PASSWORD": f"{CANARY}-old".encode(),
        "digest": hashlib.sha256(new).hexdigest().encode(),
        "region": b"eu-central-1",
        "ca.crt": b"\xff\x00ca",
        "api-key": new,
        "wrapped": b"prefix-app",
    }
    assert made["checkout"]["metadata"]["labels"] == {"app": "checkout"}
    assert made["checkout"]["metadata"]["annotations"] == {"note": "kept"}
    # Its variables are no keys of the Secret.
    assert imports.data(made["smtp"]) == {"url": f"smtp://m:{CANARY}-mail@mail:25".encode()}


def test_avp_alone_gives_stores(tmp_path: Path) -> None:
    """Without a configuration each mount becomes a store."""
    text = AVP.replace("secret/data/import/tls", "team/kv/data/import/tls")
    done = imported("avp", "-", "--as", "generator", cwd=tmp_path, stdin=text)
    spec = yaml.safe_load(done.stdout)["spec"]
    assert spec["stores"] == {
        "secret": {"vault": {"path": "secret"}},
        "team-kv": {"vault": {"path": "team/kv"}},
    }
    (entry,) = (e for e in spec["secrets"][0]["data"] if e["secretKey"] == "ca.crt")
    assert entry["store"] == "team-kv"
    assert entry["remoteRef"]["key"] == "import/tls"


def test_avp_literals(tmp_path: Path) -> None:
    """A value in clear is refused, and kept only when that is asked for."""
    text = AVP.replace("  DB_USER: <username>", "  DB_USER: admin")
    done = imported("avp", "-", cwd=tmp_path, stdin=text, code=2)
    assert done.stderr == (
        "[error] krmfn import: <stdin>:13:3: Secret/checkout: stringData.DB_USER: the value "
        "is unencrypted; put it into the vault, or keep it as value: with --keep-literals "
        "[no-equivalent]\n"
    )
    done = imported("avp", "-", "--keep-literals", cwd=tmp_path, stdin=text)
    entries = next(yaml.safe_load_all(done.stdout))["spec"]["data"]
    assert {"secretKey": "DB_USER", "value": "admin"} in entries
    assert "note: Secret/checkout: DB_USER stays unencrypted\n" in done.stderr


# --- all of them


def test_output_is_a_new_file(tmp_path: Path) -> None:
    """It is written whole, and never over another."""
    done = imported("avp", "-", "--output", "out.yaml", cwd=tmp_path, stdin=AVP)
    assert done.stdout == ""
    assert stat.S_ISREG((tmp_path / "out.yaml").stat().st_mode)
    before = (tmp_path / "out.yaml").read_bytes()
    done = imported("avp", "-", "--output", "out.yaml", cwd=tmp_path, stdin=AVP, code=2)
    assert done.stderr.endswith("out.yaml exists; name a new file [usage]\n")
    assert (tmp_path / "out.yaml").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.yaml"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (
            ("secret", "-"),
            "kind: ConfigMap\n",
            "nothing to import from: no secret is there [input]",
        ),
        (("secret", "-"), "- 1\n", "<stdin>:1:1: the document is not an object [spec]"),
        (("secret", "none.yaml"), "", "none.yaml: no such file or directory [file]"),
        (("kustomization", "."), "", "DIR: . holds no kustomization [file]"),
        (
            ("secret", "-", "--config", "c.yaml", "--store", "x", "--write-values"),
            SECRET,
            "<stdin>:1:1: Secret/db: the store x is not defined; give its file too, or a --config "
            "that defines it [spec]",
        ),
    ],
)
def test_failures(arguments: tuple[str, ...], stdin: str, message: str, tmp_path: Path) -> None:
    """Each is one line, and nothing is printed."""
    imports.config(tmp_path / "c.yaml")
    done = imported(*arguments, cwd=tmp_path, stdin=stdin, code=2)
    assert (done.stdout, done.stderr) == ("", f"[error] krmfn import: {message}\n")


def test_help() -> None:
    """Each source has its own help."""
    for source in ("sealedsecret", "secret", "kustomization", "externalsecret", "avp"):
        done = krmfn("import", source, "--help")
        assert done.returncode == 0
        assert f"usage: krmfn import {source}" in done.stdout
