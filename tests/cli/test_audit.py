"""`krmfn audit`: what it prints, in each form, and how it ends."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import yaml

from krmfn.audit.rules import RULES
from tests.support import estate
from tests.support.command import krmfn
from tests.support.estate import ESTATE, KUBECTL, OVERLAYS

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).resolve().parents[2]
VALUE = "s3cr3t-value-0123456789"
STREAM = f"""\
# somebody's build
apiVersion: v1
kind: Secret
metadata: {{name: db, namespace: app}}
stringData:
  password: {VALUE}
data:
  token: {base64.b64encode(VALUE.encode()).decode()}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: app
spec:
  template:
    spec:
      containers:
      - name: web
        env:
        - name: PASSWORD
          valueFrom:
            secretKeyRef:
              name: db
              key: pasword
        envFrom:
        - secretRef:
            name: dbb
        - secretRef:
            name: extra
            optional: true
---
apiVersion: widgets.example.test/v1
kind: Widget
metadata: {{name: round, namespace: app}}
spec:
  login: {{name: db, key: password}}
---
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {{name: old, namespace: app}}
spec:
  store: main
  data:
  - secretKey: k
    value: {VALUE}
"""
KEY_LINE = (
    "[error] Deployment/web: spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef: db: "
    "pasword: Secret/db produces no such key; did you mean password?; it has password, token "
    "[unmet-key]"
)
NAME_LINE = (
    "[error] Deployment/web: spec.template.spec.containers[0].envFrom[0].secretRef: dbb: nothing in "
    "this build creates this Secret; did you mean db?; claim it with krmfn init, fix the name, or "
    "list it under assume: [unmet-reference]"
)
UNUSED_LINE = (
    "[warning] SecretClaim/old: old: nothing refers to this Secret; remove it, or correct the name "
    "[unused-secret]"
)
UNKNOWN_LINE = (
    "[info] Widget/round: the catalogue does not know widgets.example.test/Widget: 1 of its fields "
    "look like references; add it to a SecretCatalogue [unknown-kind]"
)
SUMMARY = (
    "4 references: 2 unencrypted, 1 optional and absent, 1 unmet; 2 errors, 1 warning, "
    "1 unknown kind (-v)"
)


def audit(
    *arguments: str | Path, stdin: str | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """One call, with the kubectl of the wheel."""
    return krmfn("audit", *arguments, stdin=stdin, cwd=cwd, KRMFN_KUSTOMIZE=str(KUBECTL))


# --- text


def test_text() -> None:
    """One line for each error and warning, by object and field, and a summary; exit code 1."""
    done = audit(stdin=STREAM)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [NAME_LINE, KEY_LINE, UNUSED_LINE, SUMMARY]


def test_verbose() -> None:
    """With -v also what is only informative."""
    done = audit("-", "-v", stdin=STREAM)
    assert done.stdout.splitlines() == [NAME_LINE, KEY_LINE, UNUSED_LINE, UNKNOWN_LINE, SUMMARY]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_estate_is_right(overlay: str) -> None:
    """A directory is built without a credential; what is right ends with exit code 0."""
    done = audit(ESTATE / f"overlays/{overlay}")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("24 references" if overlay == "dev" else "27 references")
    assert line.endswith("; 0 errors, 0 warnings")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_claims_that_nothing_seals_yet(overlay: str) -> None:
    """What `krmfn seal` will seal behind kustomize has no transformer, and is audited all the same."""
    done = audit(ESTATE / f"environments/{overlay}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == audit(ESTATE / f"overlays/{overlay}").stdout


def test_what_was_sealed_before(tmp_path: Path) -> None:
    """A directory with finished SealedSecrets is no mistake to whoever only looks."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "prod.yaml").write_text((ESTATE / "expected/prod.yaml").read_text())
    (tmp_path / "kustomization.yaml").write_text("resources: [prod.yaml]\n")
    done = audit(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "kustomization.yaml").write_text("resources: [prod.yaml]\nnamePrefix: eu-\n")
    done = audit(tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("[sealed-for]") == 12


def test_warnings_end_well() -> None:
    """Warnings alone are exit code 0."""
    stream = STREAM.replace("pasword", "password").replace("dbb", "db")
    done = audit("-", stdin=stream)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == UNUSED_LINE


def test_no_control_character_gets_through() -> None:
    """A name cannot pretend to be a line of ours, or paint the terminal."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p\x1b[31m\n[error] fake"},
        "spec": {"imagePullSecrets": [{"name": "pull"}], "containers": []},
    }
    done = audit("-", stdin=json.dumps(pod))
    assert "\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 2


# --- inputs


def test_a_file_and_a_folder(tmp_path: Path) -> None:
    """A file, and every YAML and JSON file below a folder, are one stream each."""
    file = tmp_path / "rendered/all.yaml"
    file.parent.mkdir()
    file.write_text(STREAM)
    assert audit(file).stdout == audit("-", stdin=STREAM).stdout
    (tmp_path / "split/deep").mkdir(parents=True)
    documents = [one for one in yaml.safe_load_all(STREAM) if one]
    for number, one in enumerate(documents):
        (tmp_path / f"split/deep/{number}.json").write_text(json.dumps(one))
    (tmp_path / "split/notes.txt").write_text("not: [a stream")
    done = audit("split", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == audit("-", stdin=STREAM).stdout


def test_a_config_says_what_is_made_elsewhere(tmp_path: Path) -> None:
    """--config brings assumptions and entries, with paths from where it stands."""
    catalogue = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SecretCatalogue",
        "metadata": {"name": "widgets"},
        "spec": {
            "consumers": [
                {"kinds": ["widgets.example.test/Widget"], "at": ["spec.login"], "form": "key"}
            ]
        },
    }
    assume = [{"secret": "dbb", "namespace": "app", "because": "made by hand"}]
    validator = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretValidator",
        "metadata": {"name": "app"},
        "spec": {"assume": assume, "catalogue": ["widgets.yaml"]},
    }
    (tmp_path / "config").mkdir()
    (tmp_path / "config/widgets.yaml").write_text(json.dumps(catalogue))
    (tmp_path / "config/validator.yaml").write_text(json.dumps(validator))
    done = audit("-", "--config", "config/validator.yaml", stdin=STREAM, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        KEY_LINE,
        UNUSED_LINE,
        "4 references: 2 unencrypted, 1 assumed, 1 optional and absent; 1 error, 1 warning",
    ]


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["absent.yaml"], None, "absent.yaml: no such file or directory [file]"),
        (["-"], "a: [", "-:2:1: did not find expected node content [yaml]"),
        (["-"], "apiVersion: v1\nkind: A\na: 1\na: 2\n", "the key a appears twice [yaml]"),
        (["-"], "", "-: there is no resource; look why the build gave nothing [input]"),
        (["-"], "---\n# nothing\n---\n", "there is no resource"),
        (["-"], "<html>\n", "there is no resource"),
        (["."], None, ".: there is no resource; look why the build gave nothing [input]"),
        (["--explain", "no-such"], None, "no rule no-such, expected unmet-reference, unmet-key"),
        (["--json", "--sarif"], "", "not allowed with argument --json"),
        (["-", "--config", "absent.yaml"], STREAM, "absent.yaml: no such file or directory [file]"),
    ],
)
def test_failures(tmp_path: Path, arguments: list[str], stdin: str | None, says: str) -> None:
    """One clear line, exit code 2, nothing on standard output: an empty stream is no good one."""
    done = audit(*arguments, stdin=stdin or "", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- explain


@pytest.mark.parametrize("rule", RULES)
def test_explain(rule: str) -> None:
    """Each rule says what it is, why it matters and what to do, in paragraphs."""
    done = audit("--explain", rule)
    assert (done.returncode, done.stderr) == (0, "")
    head, blank, *rest = done.stdout.splitlines()
    assert head == f"{rule} ({RULES[rule].severity}): {RULES[rule].title}"
    assert blank == ""
    assert len([part for part in "\n".join(rest).split("\n\n") if part]) >= 2


# --- JSON


def test_json_shape() -> None:
    """The fields of each part are those of docs/audit.md, and no other."""
    page = (ROOT / "docs/audit.md").read_text()
    table = re.findall(r"^\| `([a-zA-Z]+)(\[\])?` \| (.+?) \|", page, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", fields)) for name, _, fields in table}
    seen: dict[str, set[str]] = {}
    for stream in (STREAM, estate.plain("dev"), estate.claimed("prod")):
        for name, value in json.loads(audit("-", "--json", stdin=stream).stdout).items():
            fields = seen.setdefault(name, set())
            for one in value if isinstance(value, list) else []:
                fields.update(one)
    seen["operator"].update(("open",))  # of kinds that are not in these streams
    for how in ("sealed", "operator", "plain", "assumed"):
        assert seen.pop(how) <= documented["sealed"]
    seen.pop("counts")
    seen.pop("unknownKinds")
    assert set(seen) <= set(documented)
    for name, fields in seen.items():
        assert fields == documented[name], name


def test_json_says_all_of_a_finding() -> None:
    """Rule, severity, object, field, Secret, key, who makes it, what was meant, and what to do."""
    done = audit("-", "--json", stdin=STREAM)
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    assert found["findings"][1] == {
        "rule": "unmet-key",
        "severity": "error",
        "object": "Deployment/web",
        "at": "spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef",
        "namespace": "app",
        "secret": "db",
        "key": "pasword",
        "message": "Secret/db produces no such key",
        "producer": "Secret/db",
        "near": "password",
        "remedy": "it has password, token",
    }
    assert found["counts"] == {"refs": 4, "plain": 2, "absent": 1, "unmet": 1}
    assert found["unknownKinds"] == {"widgets.example.test/Widget": 1}
    assert found["plain"] == [
        {
            "namespace": "app",
            "name": "db",
            "type": "Opaque",
            "keys": ["password", "token"],
            "by": "Secret/db",
        }
    ]
    assert [one["name"] for one in found["wanted"]] == ["dbb"]


# --- SARIF


def sarif(*arguments: str | Path, stdin: str | None = None, cwd: Path | None = None) -> Any:
    """The one run of the log, held against what SARIF 2.1.0 asks for."""
    done = audit(*arguments, "--sarif", stdin=stdin, cwd=cwd)
    assert done.stderr == ""
    log = json.loads(done.stdout)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "krmfn"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        assert result["partialFingerprints"]
        (location,) = result["locations"]
        assert re.fullmatch(r"[-\w./%~]+", location["physicalLocation"]["artifactLocation"]["uri"])
        region = location["physicalLocation"].get("region", {"startLine": 1, "startColumn": 1})
        assert min(region.values()) >= 1
    errors = [result for result in run["results"] if result["level"] == "error"]
    assert done.returncode == (1 if errors else 0)
    return run


def test_sarif_positions(tmp_path: Path) -> None:
    """A result stands at the line and column of the field, in the file that holds it."""
    (tmp_path / "my builds").mkdir()
    file = tmp_path / "my builds/all of it.yaml"
    file.write_text(STREAM)
    run = sarif("my builds", cwd=tmp_path)
    lines = STREAM.splitlines()
    places = {}
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert tmp_path / unquote(place["artifactLocation"]["uri"]) == file
        region = place["region"]
        places[result["ruleId"]] = lines[region["startLine"] - 1][region["startColumn"] - 1 :]
    assert places == {
        "unmet-key": "secretKeyRef:",
        "unmet-reference": "secretRef:",
        "unused-secret": "apiVersion: krmfn.dev/v1alpha1",
        "unknown-kind": "apiVersion: widgets.example.test/v1",
    }
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels["unmet-key"] == "error"
    assert levels["unused-secret"] == "warning"
    assert levels["unknown-kind"] == "note"


def test_sarif_inside_of_a_list(tmp_path: Path) -> None:
    """The items of a List have positions of their own."""
    pod = {"imagePullSecrets": [{"name": "pull"}], "containers": []}
    items = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}
        for name in ("a", "b")
    ]
    text = yaml.safe_dump(
        {"apiVersion": "v1", "kind": "List", "items": json.loads(json.dumps(items))}
    )
    file = tmp_path / "list.yaml"
    file.write_text(text)
    run = sarif(file)
    lines = [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in run["results"]]
    at = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() == "- name: pull"]
    assert lines == at


def test_sarif_of_a_directory(tmp_path: Path) -> None:
    """A kustomization's results name it, or the file that kustomize says the object came from."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "base/all.yaml").write_text(STREAM)
    (tmp_path / "base/kustomization.yaml").write_text("resources: [all.yaml]\n")
    (tmp_path / "overlays/app").mkdir(parents=True)
    file = tmp_path / "overlays/app/kustomization.yaml"
    file.write_text("resources: [../../base]\n")
    run = sarif(file.parent)
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places == [{"artifactLocation": {"uri": "overlays/app/kustomization.yaml"}}] * 4
    file.write_text("resources: [../../base]\nbuildMetadata: [originAnnotations]\n")
    run = sarif(file.parent)
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places == [{"artifactLocation": {"uri": "base/all.yaml"}}] * 4


def test_sarif_of_what_is_right() -> None:
    """Without findings it is still a log, which closes what was open."""
    assert sarif("-", stdin=estate.claimed("prod"))["results"] == []


# --- no values


@pytest.mark.parametrize("form", [[], ["-v"], ["--json"], ["--sarif"]])
def test_no_value_is_printed(form: list[str]) -> None:
    """Secrets in clear and literal values of claims stay out of every form."""
    done = audit("-", *form, stdin=STREAM)
    encoded = base64.b64encode(VALUE.encode()).decode()
    assert done.stdout
    for text in (VALUE, encoded):
        assert text not in done.stdout + done.stderr


def test_no_value_is_printed_in_a_failure() -> None:
    """Nor does a message quote the line that cannot be read."""
    done = audit("-", stdin=f"a: 1\nb: {VALUE}: [\n")
    assert done.returncode == 2
    assert VALUE not in done.stdout + done.stderr


def test_help() -> None:
    """The help shows each form."""
    done = audit("--help")
    assert "krmfn audit --explain operator-owned" in done.stdout
    assert sys.executable not in done.stdout
