"""The function: one call by kustomize, from standard input to standard output."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from krmfn import function
from krmfn.deadline import Deadline
from krmfn.objects.sealed_secret import SKIP_MARKER
from tests.support.function import Project, config, opened, resource_list, secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., tuple[int, str, str]]

PLACE = "SealedSecretGenerator/logto"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path)
    made.write({"app": {"x": "value-1", "y": "value-2\n"}})
    monkeypatch.chdir(tmp_path)
    for name in ("KRMFN_NAMESPACE", "ARGOCD_APP_NAMESPACE", "KRMFN_ROOT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def call(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Calls the function: exit code, standard output, standard error."""

    def run(
        value: Any, *arguments: str, items: Any = None, stdin: bytes | None = None
    ) -> tuple[int, str, str]:
        content = resource_list(value, items) if stdin is None else stdin
        out = io.BytesIO()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out))
        code = function.main(list(arguments), Deadline(60))
        sys.stdout.flush()
        return code, out.getvalue().decode(), capsys.readouterr().err

    return run


def without_namespace() -> dict[str, Any]:
    value = config()
    del value["metadata"]["namespace"]
    return value


def failed(result: tuple[int, str, str], code: int, *lines: str) -> None:
    assert result == (code, "", "".join(f"{line}\n" for line in lines))


def test_a_build(call: Call) -> None:
    """SealedSecrets, a companion for each, the marker; the same bytes twice; nothing on stderr."""
    value = config(secret({"secretKey": "k", "remoteRef": {"key": "app", "property": "x"}}))
    code, out, err = call(value)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["apiVersion"], found["kind"]) == ("config.kubernetes.io/v1", "ResourceList")
    assert [(i["kind"], i["metadata"]["name"]) for i in found["items"]] == [
        ("SealedSecret", "db"),
        ("Secret", "db"),
        ("ConfigMap", SKIP_MARKER),
    ]
    assert opened(found["items"][0], "production/db") == {"k": b"value-1"}
    assert opened(found["items"][0], "dev/db") == {"k": None}
    assert call(value)[1] == out


def test_characters_beyond_ascii_stay_as_they_are(call: Call) -> None:
    """kustomize does not read surrogate escapes."""
    value = config(
        secret({"secretKey": "k", "value": "x"}, metadata={"annotations": {"n": "é 🔑"}})
    )
    assert '"n":"é 🔑"' in call(value)[1]


def test_the_namespace_of_the_kustomization(call: Call, project: Project) -> None:
    """Used when the configuration names none."""
    (project.directory / "kustomization.yaml").write_text("namespace: staging\n")
    sealed = json.loads(call(without_namespace())[1])["items"][0]
    assert sealed["metadata"]["namespace"] == "staging"
    assert sealed["metadata"]["annotations"]["krmfn.dev/sealed-for"] == "staging/db"


def test_two_namespaces(call: Call, project: Project) -> None:
    """The configuration and the kustomization must agree."""
    (project.directory / "kustomization.yaml").write_text("namespace: staging\n")
    failed(
        call(config()), 2,
        f"[error] {PLACE}: metadata.namespace says production, and kustomization.yaml says staging; "
        "make them "
        "agree, or leave metadata.namespace out [namespace-contradiction]",
    )  # fmt: skip


def test_the_namespace_of_the_environment(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a fallback, and with a note."""
    monkeypatch.setenv("ARGOCD_APP_NAMESPACE", "argo")
    assert "comes from" not in call(config())[2]
    code, out, err = call(without_namespace())
    assert (code, err) == (
        0,
        f"[warning] {PLACE}: the namespace argo comes from ARGOCD_APP_NAMESPACE; "
        "set namespace: in the kustomization [namespace-from-environment]\n",
    )
    assert '"namespace":"argo"' in out
    monkeypatch.setenv("KRMFN_NAMESPACE", "own")
    assert "the namespace own comes from KRMFN_NAMESPACE" in call(without_namespace())[2]
    monkeypatch.setenv("KRMFN_NAMESPACE", "Not A\nName")
    failed(
        call(without_namespace()),
        2,
        f"[error] {PLACE}: KRMFN_NAMESPACE is not a namespace's name [usage]",
    )


def test_no_namespace(call: Call) -> None:
    """Never `default`; each secret says so."""
    value = without_namespace()
    value["spec"]["secrets"].append({**value["spec"]["secrets"][0], "name": "other"})
    line = (
        "no namespace is known for scope strict; set metadata.namespace, or seal in the "
        "kustomization that sets namespace: [namespace-missing]"
    )
    failed(
        call(value), 2,
        f"[error] {PLACE}: db: spec.secrets[0]: {line}", f"[error] {PLACE}: other: spec.secrets[1]: {line}",
    )  # fmt: skip
    value["spec"]["sealing"]["scope"] = "cluster-wide"
    assert call(value)[0] == 0


def test_a_name_that_will_change(call: Call, project: Project) -> None:
    """A prefix breaks a strict seal and leaves a namespace-wide one."""
    (project.directory / "kustomization.yaml").write_text("nameSuffix: -x\n")
    failed(
        call(config()), 2,
        f"[error] {PLACE}: db: spec.secrets[0]: kustomization.yaml sets nameSuffix, which renames "
        "db after it was "
        "sealed; use claims and a SealedSecretTransformer, or scope: namespace-wide [name-changes]",
    )  # fmt: skip
    assert call(config(scope="namespace-wide"))[0] == 0


def listed(project: Project, text: str, **files: Any) -> None:
    (project.directory / "kustomization.yaml").write_text(text)
    for name, value in files.items():
        (project.directory / f"{name}.yaml").write_text(json.dumps(value))


def test_the_file_is_named(call: Call, project: Project) -> None:
    """When the kustomization lists the configuration, its messages name the file."""
    value = config(scope="Strict")
    listed(project, "generators: [gen.yaml]", gen=value)
    failed(
        call(value), 2,
        f"[error] gen.yaml: {PLACE}: spec.sealing.scope: must be 'strict', 'namespace-wide' or "
        "'cluster-wide' [spec]",
    )  # fmt: skip


def test_a_generator_in_the_wrong_list(call: Call, project: Project) -> None:
    """Seen in the kustomization, or by what it is given."""
    listed(project, "transformers: [gen.yaml]", gen=config())
    failed(
        call(config()), 2,
        f"[error] gen.yaml: {PLACE}: listed under transformers: of kustomization.yaml, expected "
        "generators:; "
        "move the entry to generators: [wrong-list]",
    )  # fmt: skip
    (project.directory / "kustomization.yaml").unlink()
    failed(
        call(config(), items=[{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}]), 2,
        f"[error] {PLACE}: a generator was given resources to transform, expected generators:; "
        "move the entry to generators: [wrong-list]",
    )  # fmt: skip


def test_two_generators(call: Call, project: Project) -> None:
    """One is enough, and two would both emit the marker."""
    other = config()
    other["metadata"]["name"] = "other"
    listed(project, "generators: [gen.yaml, other.yaml]", gen=config(), other=other)
    failed(
        call(config()), 2,
        f"[error] gen.yaml: {PLACE}: kustomization.yaml lists several generators of krmfn: "
        "logto, other, "
        "expected one, with any number of secrets; put their secrets into one [wrong-list]",
    )  # fmt: skip


def test_several_mistakes(call: Call) -> None:
    """All of one stage, in the order of the configuration."""
    value = config(
        secret({"secretKey": "a", "remoteRef": {"key": "gone", "property": "x"}}, name="a"),
        secret({"secretKey": "b", "remoteRef": {"key": "also/gone", "property": "x"}}, name="b"),
    )
    end = "s.age holds nothing there; krmfn age set s.age"
    failed(
        call(value), 3,
        f"[error] {PLACE}: a: a: main:gone: {end} gone PROPERTY [not-found]",
        f"[error] {PLACE}: b: b: main:also/gone: {end} also/gone PROPERTY [not-found]",
    )  # fmt: skip


def test_missing_properties_and_warnings(call: Call) -> None:
    """A property that is not there; a value that ends with a newline."""
    entry = {"secretKey": "k", "remoteRef": {"key": "app", "property": "z"}}
    failed(
        call(config(secret(entry))), 3,
        f"[error] {PLACE}: db: k: main:app: there is no property z; correct remoteRef.property, "
        "or write the value "
        "[property-missing]",
    )  # fmt: skip
    entry["remoteRef"] = {"key": "app", "property": "y"}
    code, out, err = call(config(secret(entry)))
    assert (code, bool(out)) == (0, True)
    assert err == (
        f"[warning] {PLACE}: db: k: the value ends with a newline; store it without one "
        "[trailing-newline]\n"
    )


@pytest.mark.parametrize(
    ("stdin", "line"),
    [
        (b"", "<stdin>: standard input is not a ResourceList"),
        (b"a: b: c", "<stdin>:1:5: mapping values are not allowed in this context [yaml]"),
        (b"kind: ResourceList\n", "krmfn: the ResourceList has no functionConfig"),
        (b'{"kind":"ResourceList","functionConfig":[]}', "krmfn: the configuration is not an object"),
        (b'{"kind":"ResourceList","functionConfig":{}}', "krmfn: not a krmfn resource"),
        (b'{"kind":"ResourceList","functionConfig":{"kind":"X"}}', "X: not a krmfn resource"),
    ],
)  # fmt: skip
def test_input_that_is_none(call: Call, stdin: bytes, line: str) -> None:
    """One line that says so."""
    code, out, err = call(None, stdin=stdin)
    assert (code, out) == (2, "")
    assert err.replace("<stdin>: the input", "krmfn: the input").startswith(f"[error] {line}")
    assert err.count("\n") == 1


def test_input_without_end(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit to what is read."""
    monkeypatch.setattr(function, "MAX_INPUT", 10)
    failed(call(config()), 2, "[error] krmfn: standard input is over 256 MiB [input]")


VALIDATOR = {
    "apiVersion": "krmfn.dev/v1alpha1",
    "kind": "SealedSecretValidator",
    "metadata": {"name": "v"},
}


def sealed(namespace: str, name: str, sealed_for: str) -> dict[str, Any]:
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"krmfn.dev/sealed-for": sealed_for},
        },
    }


def test_a_validator_prints_nothing(call: Call) -> None:
    """A stream that is right passes in silence, an empty one too."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "a"},
        "spec": {"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "b"}}]}]},
    }
    assert call(VALIDATOR, items=[sealed("a", "b", "a/b"), pod]) == (0, "", "")
    assert call(VALIDATOR, items=[]) == (0, "", "")


def test_a_validator_audits(call: Call) -> None:
    """What references ask for in vain is told, or fails, or is not looked for."""
    alone = [sealed("a", "b", "a/b")]
    line = "SealedSecret/b: b: nothing refers to this Secret; remove it, or correct the name"
    told = f"[warning] SealedSecretValidator/v: {line} [unused-secret]\n"
    assert call(VALIDATOR, items=alone) == (0, "", told)
    assert call({**VALIDATOR, "spec": {"audit": "off"}}, items=alone) == (0, "", "")


def test_a_validator_says_what_is_wrong(call: Call) -> None:
    """Exit code 1, one line for each finding, with the resource's own name."""
    claim = {"apiVersion": "krmfn.dev/v1alpha1", "kind": "SecretClaim", "metadata": {"name": "c"}}
    failed(
        call(VALIDATOR, items=[sealed("prod", "b", "dev/b"), claim]), 1,
        "[error] SealedSecret/b: it cannot be opened under its final name, namespace and "
        "scope, "
        "expected sealed for prod/b, "
        "found dev/b; seal in the outermost kustomization that sets namespace, prefix or suffix "
        "[sealed-for]",
        "[error] SecretClaim/c: the claim was not replaced by a SealedSecret; run krmfn's "
        "transformer in the "
        "outermost kustomization [claim-left]",
    )  # fmt: skip


def test_a_validator_warns_of_the_marker(call: Call) -> None:
    """A marker that nobody deletes is a warning."""
    marker = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": SKIP_MARKER},
    }
    code, out, err = call(VALIDATOR, items=[marker])
    assert (code, out) == (0, "")
    assert err.startswith("[warning] SealedSecretValidator/v: ConfigMap/krmfn-was-skipped")


def test_a_validator_in_the_wrong_list(call: Call, project: Project) -> None:
    """Under transformers: its silence would delete everything."""
    listed(project, "transformers: [v.yaml]", v=VALIDATOR)
    failed(
        call(VALIDATOR, items=[]), 2,
        "[error] v.yaml: SealedSecretValidator/v: listed under transformers: of "
        "kustomization.yaml, expected "
        "validators:; move the entry to validators: [wrong-list]",
    )  # fmt: skip


def test_a_legacy_call(call: Call, project: Project) -> None:
    """The configuration from a file; a stream for a validator, nothing for a generator."""
    file = project.directory / "config"
    file.write_text(json.dumps(config()))
    assert call(None, str(file), stdin=b"anybody's: : :") == call(config())
    file.write_text(json.dumps(VALIDATOR))
    stream = "---\n".join(
        json.dumps(s) + "\n" for s in (sealed("a", "b", "a/b"), sealed("a", "c", "a/x"))
    )
    code, out, err = call(None, str(file), stdin=stream.encode())
    assert (code, out) == (1, "")
    assert err.startswith("[error] SealedSecret/c: ")
    file.write_text("[]")
    assert call(None, str(file))[0] == 2


def test_output_that_nobody_reads(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed standard output is an error, not a success."""

    def closed(_: bytes) -> int:
        raise BrokenPipeError

    content = resource_list(config())

    class Closed:
        class buffer:  # noqa: N801
            write = staticmethod(closed)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    monkeypatch.setattr(sys, "stdout", Closed)
    assert function.main([], Deadline(60)) == 5
