"""What each importer refuses, with its position, and what it makes of the rest."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from krmfn.documents import strict
from krmfn.errors import Failure
from krmfn.importer import avp, document, externalsecret, kustomization, sealedsecret, secret
from krmfn.importer.avp_text import Ref, compose
from krmfn.importer.entry import Entry, Imported, Options
from krmfn.importer.source import sources

READERS = {
    "sealedsecret": sealedsecret.read,
    "secret": secret.read,
    "externalsecret": externalsecret.read,
    "avp": avp.read,
}
CANARY = "canary-7f3a"
SEALED = """\
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: db, namespace: n}
spec:
"""
EXTERNAL = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db, namespace: n}
spec:
  secretStoreRef: {name: main}
"""
STORE = """\
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: main}
spec:
"""
PLUGIN = """\
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: n}
stringData:
"""
PLAIN = """\
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: n}
"""


def refused(kind: str, text: str) -> list[str]:
    """What is refused, as ``line:column: field: message``."""
    found = list(sources(text, "f"))
    READERS[kind](found, Options())
    lines = [error.line() for source in found for error in source.errors]
    assert CANARY not in "".join(lines)
    return [line.removeprefix("f:").rpartition(" [")[0] for line in lines]


@pytest.mark.parametrize(
    ("kind", "text", "where", "words"),
    [
        # SealedSecrets
        ("sealedsecret", SEALED + "  data: AgB\n", "5:3", "spec.data: "),
        (
            "sealedsecret",
            SEALED + f"  encryptedData: {{}}\n  template:\n    data: {{a: {CANARY}}}\n",
            "7:5",
            "spec.template.data: ",
        ),
        (
            "sealedsecret",
            SEALED + f"  template:\n    stringData: {{a: {CANARY}}}\n",
            "6:5",
            "the controller ignores it",
        ),
        (
            "sealedsecret",
            SEALED.replace("n}", "n, annotations: {sealedsecrets.bitnami.com/managed: 'true'}}")
            + "  encryptedData: {a: b}\n",
            "3:50",
            "the controller reads this of the Secret",
        ),
        (
            "sealedsecret",
            SEALED + "  template: {metadata: {annotations: "
            "{sealedsecrets.bitnami.com/skip-set-owner-references: 'true'}}}\n",
            "5:39",
            "without managed beside it",
        ),
        (
            "sealedsecret",
            SEALED + "  template: {metadata: {name: other}}\n",
            "5:25",
            "the Secret's name is not the SealedSecret's",
        ),
        (
            "sealedsecret",
            SEALED + "  template: {metadata: {finalizers: [a]}}\n",
            "5:25",
            "finalizers",
        ),
        # Secrets
        ("secret", PLAIN + f"data:\n  a: {CANARY}\n", "5:3", "data.a: must be base64"),
        ("secret", PLAIN + "type: helm.sh/release.v1\n", "4:1", "Helm writes it"),
        ("secret", PLAIN + "stringData: {a: 1}\n", "4:14", "stringData.a: must be a string"),
        (
            "secret",
            PLAIN.replace("n}", "n, ownerReferences: [{kind: X}]}"),
            "3:36",
            "metadata.ownerReferences: krmfn has no equivalent",
        ),
        (
            "secret",
            f"{PLAIN}stringData: {{a: one}}\n---\n{PLAIN}stringData: {{a: {CANARY}}}\n",
            "9:14",
            "two values would go to n/db",
        ),
        (
            "secret",
            "kind: Secret\napiVersion: v1\nmetadata: {name: db}\nstringData: {a: b}\n",
            "3:1",
            "the path template asks for a namespace",
        ),
        # ExternalSecrets
        ("externalsecret", EXTERNAL + "  data: []\n", "4:1", "neither data nor dataFrom"),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom:\n  - find: {name: {regexp: .*}}\n",
            "7:5",
            "spec.dataFrom[0].find: ",
        ),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom:\n  - extract: {key: a}\n    rewrite: []\n",
            "8:5",
            "spec.dataFrom[0].rewrite: ",
        ),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom:\n  - sourceRef: {generatorRef: {kind: Password, name: p}}\n",
            "7:17",
            "let a generator's value be kept in the vault",
        ),
        (
            "externalsecret",
            EXTERNAL
            + "  data:\n  - secretKey: a\n    remoteRef: {key: k, conversionStrategy: Unicode}\n",
            "8:25",
            "conversionStrategy: krmfn has no equivalent",
        ),
        (
            "externalsecret",
            EXTERNAL
            + "  data:\n  - secretKey: a\n    remoteRef: {key: k, decodingStrategy: Auto}\n",
            "8:25",
            "guessing corrupts values",
        ),
        (
            "externalsecret",
            EXTERNAL + "  data:\n  - secretKey: a\n    remoteRef: {key: k, property: 'a.#.b'}\n",
            "8:25",
            "a query",
        ),
        (
            "externalsecret",
            EXTERNAL + "  data:\n  - secretKey: a\n    remoteRef: {key: k, version: latest}\n",
            "8:25",
            "must be a number",
        ),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom: [{extract: {key: k}}]\n  target:\n    template:\n      data:\n"
            "        a: '{{ range .x }}{{ end }}'\n",
            "10:9",
            "spec.target.template.data.a: template 1:4: range is not part of the language",
        ),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom: [{extract: {key: k}}]\n  target:\n    template:\n"
            "      metadata: {labels: {a: '{{ .x }}'}}\n",
            "9:27",
            "values never reach labels",
        ),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom: [{extract: {key: k}}]\n  target: {creationPolicy: Merge}\n",
            "7:12",
            "Merge would change a Secret of another owner",
        ),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom: [{extract: {key: k}}]\n  target: {deletionPolicy: Delete}\n",
            "7:12",
            "a missing value fails the build",
        ),
        (
            "externalsecret",
            EXTERNAL + "  dataFrom: [{extract: {key: k}}]\n  target: {template: "
            "{templateFrom: [{literal: x}]}}\n",
            "7:23",
            "put the template into template.data",
        ),
        (
            "externalsecret",
            EXTERNAL
            + "  dataFrom: [{extract: {key: k}}]\n  target: {manifest: {kind: ConfigMap}}\n",
            "7:12",
            "krmfn creates only Secrets",
        ),
        (
            "externalsecret",
            EXTERNAL + "  refreshPolicy: CreatedOnce\n  dataFrom: [{extract: {key: k}}]\n",
            "6:3",
            "name versions",
        ),
        ("externalsecret", STORE + "  provider: {aws: {}}\n", "5:14", "spec.provider.aws: "),
        (
            "externalsecret",
            STORE + "  provider: {vault: {path: s, caProvider: {name: a}}}\n",
            "5:31",
            "write caBundle here",
        ),
        (
            "externalsecret",
            STORE + "  provider: {vault: {server: s}}\n",
            "5:14",
            "there is no path",
        ),
        (
            "externalsecret",
            STORE + "  provider: {vault: {path: s, auth: {iam: {role: r}}}}\n",
            "5:38",
            "log in with jwt or kubernetes",
        ),
        (
            "externalsecret",
            STORE + "  conditions: [{}]\n  provider: {vault: {path: s}}\n",
            "5:3",
            "give the overlay its own role",
        ),
        (
            "externalsecret",
            "apiVersion: external-secrets.io/v1\nkind: ClusterExternalSecret\nmetadata: {name: a}\n",
            "2:1",
            "kind: krmfn has no equivalent",
        ),
        (
            "externalsecret",
            "apiVersion: generators.external-secrets.io/v1alpha1\nkind: Password\n",
            "2:1",
            "kind: krmfn has no equivalent",
        ),
        (
            "externalsecret",
            f"{STORE}  provider: {{vault: {{path: a}}}}\n---\n{STORE}  provider: {{vault: {{path: b}}}}\n",
            "9:12",
            "another store of the same name",
        ),
        # argocd-vault-plugin
        (
            "avp",
            "kind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\n"
            "data: {a: 'x<path:s/data/k#f>'}\n",
            "4:8",
            "ConfigMap/c: data.a: a placeholder outside the values of a Secret",
        ),
        (
            "avp",
            "kind: Deployment\napiVersion: apps/v1\nmetadata:\n  name: d\n"
            "  annotations: {avp.kubernetes.io/path: s/data/k}\nspec: {a: [{b: <c>}]}\n",
            "6:13",
            "spec.a[0].b: a placeholder",
        ),
        (
            "avp",
            PLUGIN.replace("n}", "n, labels: {l: <path:s/data/k#f>}}") + "  a: <path:s/data/k#f>\n",
            "3:45",
            "metadata.labels.l: a placeholder",
        ),
        ("avp", PLUGIN + "  a: <path:s/k#f>\n", "5:3", "the path has no /data/"),
        ("avp", PLUGIN + "  a: <path:s/data/k#f#latest>\n", "5:3", "a version that is no number"),
        ("avp", PLUGIN + "  a: '<path:s/data/k#f | indent 2>'\n", "5:3", "the modifier indent"),
        ("avp", PLUGIN + f"  a: '<path:s/data/k#f | {CANARY}>'\n", "5:3", "no such modifier"),
        (
            "avp",
            PLUGIN + "  a: '<path:s/data/k#f | jsonPath {.a[*]}>'\n",
            "5:3",
            "with more than field names",
        ),
        (
            "avp",
            PLUGIN.replace("stringData", "data") + "  a: x<path:s/data/k#f>\n",
            "5:3",
            "base64 that is put together of parts",
        ),
        (
            "avp",
            PLUGIN.replace("n}", "n, annotations: {avp.kubernetes.io/remove-missing: 'true'}}")
            + "  a: <path:s/data/k#f>\n",
            "3:50",
            "a missing value fails the build",
        ),
        ("avp", PLUGIN + f"  a: <path:s/data/k#f>\n  b: {CANARY}\n", "6:3", "is unencrypted"),
    ],
)
def test_refusals(kind: str, text: str, where: str, words: str) -> None:
    """Each has its line and column, and says what to do; nothing of a value."""
    lines = refused(kind, text)
    assert any(line.startswith(f"{where}:") and words in line for line in lines), lines


def test_every_refusal_is_told_at_once() -> None:
    """Nobody corrects a file one mistake at a time."""
    text = SEALED + "  data: a\n  template: {data: {a: b}, stringData: {a: b}, wrong: 1}\n"
    assert len(refused("sealedsecret", text)) == 4


@pytest.mark.parametrize(
    ("annotations", "scope"),
    [
        ({}, None),
        ({"sealedsecrets.bitnami.com/namespace-wide": "true"}, "namespace-wide"),
        ({"sealedsecrets.bitnami.com/cluster-wide": "true"}, "cluster-wide"),
        ({"sealedsecrets.bitnami.com/cluster-wide": "false"}, None),
    ],
)
@pytest.mark.parametrize("kind", ["secret", "sealedsecret"])
def test_scope(kind: str, annotations: dict[str, str], scope: str | None) -> None:
    """The annotation becomes the scope, and is krmfn's to write again."""
    head = {
        "secret": {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "b"}},
        "sealedsecret": {
            "apiVersion": "bitnami.com/v1alpha1",
            "kind": "SealedSecret",
            "spec": {"encryptedData": {"a": "b"}},
        },
    }[kind]
    text = yaml.dump(
        head | {"metadata": {"name": "a", "namespace": "n", "annotations": annotations}}
    )
    (entry,) = READERS[kind](list(sources(text, "f")), Options()).entries
    assert entry.shape.get("scope") == scope
    assert "metadata" not in entry.shape
    assert "template" not in entry.shape


def test_a_list_is_its_items() -> None:
    """What `kubectl get -o yaml` prints is taken, and what the server added is left out."""
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n"
        "  metadata: {name: a, namespace: n, uid: u, resourceVersion: '1', managedFields: []}\n"
        "  stringData: {k: v}\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: b}\n  extra: 1\n"
    )
    found = list(sources(text, "f"))
    assert [e.name for e in secret.read(found, Options()).entries] == ["a", "b"]
    assert found[0].errors == []
    assert found[1].errors[0].where == "f:11:3: Secret/b"


def test_what_the_controller_opened() -> None:
    """Its owner is the SealedSecret, and is left out; a second owner is refused with it."""
    sealed = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "db"}
    other = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": "db"}

    def errors(*owners: Any) -> list[str]:
        metadata = {"name": "db", "namespace": "n", "ownerReferences": list(owners)}
        value = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
        (found,) = sources(yaml.dump(value), "f")
        secret.read([found], Options())
        return [one.key for one in found.errors]

    assert errors(sealed) == []
    assert errors(sealed, other) == ["metadata.ownerReferences"]


@pytest.mark.parametrize(
    ("creation", "annotations"),
    [
        ("Owner", None),
        (
            "Orphan",
            {
                "sealedsecrets.bitnami.com/managed": "true",
                "sealedsecrets.bitnami.com/skip-set-owner-references": "true",
            },
        ),
    ],
)
def test_creation_policy(creation: str, annotations: dict[str, str] | None) -> None:
    """A Secret that is not owned is one for the controller too."""
    text = EXTERNAL + (
        f"  target: {{creationPolicy: {creation}}}\n  dataFrom: [{{extract: {{key: k}}}}]\n"
    )
    (entry,) = externalsecret.read(list(sources(text, "f")), Options()).entries
    template = entry.shape.get("template") or {}
    assert (template.get("metadata") or {}).get("annotations") == annotations


@pytest.mark.parametrize(
    ("auth", "expected", "notes"),
    [
        (
            "tokenSecretRef: {name: t, key: k}",
            {"tokenRef": {"file": "/run/secrets/t/k"}},
            1,
        ),
        (
            "kubernetes: {mountPath: k8s, role: r, serviceAccountRef: {name: s}}",
            {"kubernetes": {"mountPath": "k8s", "role": "r"}},
            1,
        ),
        (
            "kubernetes: {role: r, secretRef: {name: s}}",
            {"kubernetes": {"role": "r", "secretRef": {"file": "/run/secrets/s/token"}}},
            1,
        ),
        (
            "jwt: {path: ci, role: r, secretRef: {name: s, key: j}}",
            {"jwt": {"path": "ci", "role": "r", "secretRef": {"file": "/run/secrets/s/j"}}},
            1,
        ),
        (
            "userPass: {path: up, username: u, secretRef: {name: s, key: p}}",
            {
                "userPass": {
                    "path": "up",
                    "username": "u",
                    "secretRef": {"file": "/run/secrets/s/p"},
                }
            },
            1,
        ),
        (
            "ldap: {username: u, secretRef: {name: s}}",
            {"ldap": {"username": "u", "secretRef": {"file": "/run/secrets/s/password"}}},
            1,
        ),
        (
            "cert: {clientCert: {name: c, key: a}, secretRef: {name: c, key: b}}",
            {
                "cert": {
                    "clientCert": {"file": "/run/secrets/c/a"},
                    "secretRef": {"file": "/run/secrets/c/b"},
                }
            },
            2,
        ),
        (
            "appRole: {roleRef: {name: a, key: r}, secretRef: {name: a, key: s}}",
            {
                "appRole": {
                    "roleRef": {"file": "/run/secrets/a/r"},
                    "secretRef": {"file": "/run/secrets/a/s"},
                }
            },
            2,
        ),
    ],
)
def test_logins(auth: str, expected: object, notes: int) -> None:
    """Each method keeps its fields; a Secret is the file that it is when mounted, with a note."""
    text = STORE + f"  provider: {{vault: {{path: secret/, auth: {{{auth}}}}}}}\n"
    found = list(sources(text + "---\n" + EXTERNAL + "  dataFrom: [{extract: {key: k}}]\n", "f"))
    imported = externalsecret.read(found, Options())
    assert [e for s in found for e in s.errors] == []
    assert imported.stores == {"main": {"vault": {"path": "secret", "auth": expected}}}
    assert len(imported.notes) == notes
    document.render(imported, "transformer", stores=imported.stores, sealing=None)


# --- kustomization


@pytest.mark.parametrize(
    ("fields", "files", "words"),
    [
        (f"literals: ['{CANARY}']", {}, "literals[0]: must be key=value"),
        (f"literals: ['={CANARY}']", {}, "literals[0]: must be key=value"),
        ("files: [a=b=c]", {}, "files[0]: must be a file or key=file"),
        ("envs: [e]", {"e": f"A B={CANARY}"}, "line 1 of the file does not begin with a variable"),
        ("envs: [e]", {"e": "A=\udcff"}, "line 1 of the file is not UTF-8"),
        ("literals: [a=1, a=2]", {}, "the key a comes from two sources"),
        ("files: ['https://x/y']", {}, "a file that is fetched"),
        ("behavior: replace", {}, "the Secret is made from another one"),
        ("options: {suffix: x}", {}, "options.suffix: krmfn has no equivalent"),
    ],
)
def test_generator_refusals(fields: str, files: dict[str, str], words: str) -> None:
    """What kustomize would refuse, or make of something else, has its place too."""
    text = f"secretGenerator:\n- name: a\n  namespace: n\n  {fields}\n"
    (source,) = sources(text, "f")
    content = {name: one.encode("utf-8", "surrogateescape") for name, one in files.items()}
    kustomization.read(source, Options(), lambda name: content.get(name, b""))
    lines = [error.line() for error in source.errors]
    assert CANARY not in "".join(lines)
    assert len(lines) == 1
    assert lines[0].startswith("f:4:")
    assert words in lines[0]


# --- what a Secret is put together of


A, B = Ref("s", "k", "a"), Ref("s", "k", "b")


def test_a_mixed_string_uses_the_keys_that_are_there() -> None:
    """No variable is added that the Secret would not have anyway."""
    data, templates, merge = compose({"user": (A,), "url": ("x://", A, "@", A)})
    assert [entry["secretKey"] for entry in data] == ["user"]
    assert (templates, merge) == ({"url": "x://{{ .user }}@{{ .user }}"}, True)


def test_a_mixed_string_of_one_value_is_its_own_variable() -> None:
    """The template's result takes the place of the variable."""
    data, templates, merge = compose({"tls.x": ("-", A.then("b64enc"))})
    assert [entry["secretKey"] for entry in data] == ["tls.x"]
    assert (templates, merge) == ({"tls.x": '-{{ index . "tls.x" | b64enc }}'}, True)


def test_variables_that_are_no_keys_do_not_get_into_the_secret() -> None:
    """With more variables than keys, the Secret has what is composed, and no more."""
    data, templates, merge = compose({"url": (A, ":", B), "a": ("literal",), "k": (B.decoded(),)})
    assert sorted(entry["secretKey"] for entry in data) == ["a", "a_2", "b", "k"]
    assert merge is False
    assert templates == {"url": "{{ .a_2 }}:{{ .b }}", "a": "{{ .a }}", "k": "{{ .k }}"}


def test_braces_stay_braces() -> None:
    """Text that would open an action is written as a string."""
    _, templates, _ = compose({"k": ("{{ x ", A)})
    assert templates == {"k": '{{ "{{" }} x {{ .k }}'}


# --- the text


@pytest.mark.parametrize(
    "text",
    [
        "1e3",
        "on",
        "y",
        "~",
        "0o17",
        "",
        "a: b",
        "# x",
        " a",
        "a\nb\n",
        "a \nb",
        "é",
        "- x",
        "\t",
        "=",
        "x\x7fy",
    ],
)
def test_strings_stay_strings(text: str) -> None:
    """Whatever a YAML reader could take for something else stands in quotes."""
    metadata = {"annotations": {"x": text}}
    shape = {"allowEmpty": True, "metadata": metadata}
    imported = Imported([Entry("a", "n", shape, "f")])
    shown = document.render(imported, "claims", stores={}, sealing=None)
    assert strict.load(shown, "f")["spec"]["metadata"] == metadata
    assert yaml.safe_load(shown)["spec"]["metadata"] == metadata


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("A_", {"allowEmpty": True})], "f: metadata.name: must be lower-case letters"),
        ([("a", {"allowEmpty": True})] * 2, "f: the Secret is defined twice"),
        (
            [("a", {"metadata": {"annotations": {"krmfn.dev/x": "1"}}})],
            "f: metadata annotation krmfn.dev/x is krmfn's to write",
        ),
        ([("a", {"store": "x", "dataFrom": [{"extract": {"key": "k"}}]})], "the store x is not"),
    ],
)
def test_what_the_models_refuse_is_not_printed(
    entries: list[tuple[str, dict[str, object]]], message: str
) -> None:
    """An entry is checked as a configuration is, and the error says where it came from."""
    imported = Imported([Entry(name, "n", shape, "f") for name, shape in entries])
    with pytest.raises(Failure) as caught:
        document.render(imported, "claims", stores={}, sealing=None)
    assert message in caught.value.errors[0].line()


def test_a_generator_for_each_namespace() -> None:
    """A generator has one namespace; the stores that nobody uses are left out."""
    names = [("b", "two"), ("a", "two"), ("c", "one")]
    imported = Imported([Entry(n, space, {"allowEmpty": True}, "f") for n, space in names])
    stores = {"main": {"vault": {"path": "secret"}}, "other": {"age": {"file": "f"}}}
    shown = list(
        yaml.safe_load_all(document.render(imported, "generator", stores=stores, sealing=None))
    )
    assert [d["metadata"]["namespace"] for d in shown] == ["one", "two"]
    assert [s["name"] for s in shown[1]["spec"]["secrets"]] == ["a", "b"]
    assert list(shown[0]["spec"]["stores"]) == ["main"]
