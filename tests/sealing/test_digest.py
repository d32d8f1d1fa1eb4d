"""Names by content and checksums: what changes them, and what does not."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

import pytest

from krmfn import catalogue
from krmfn.build import restart
from krmfn.build.restart import ANNOTATION, Stamp, affixes, pod_specs, stamped
from krmfn.crypto.derive import first_step, remote_source, tlv
from krmfn.errors import KrmfnError, SpecError
from krmfn.objects.stream import read, stream
from krmfn.plaintext import Plaintext
from krmfn.plan.make import SealTarget, plan_claims
from krmfn.sealing import digest
from krmfn.sealing.render import Rendered
from krmfn.sealing.render import SealItem as Value
from krmfn.spec.generator import SecretShape
from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim

KEY = bytes(range(32))
SOURCE = remote_source(("vault", "main", "", "secret", "db"), ("password",))


def content(
    values: dict[str, bytes] | None = None,
    *,
    name: str = "db",
    namespace: str = "n",
    scope: str = "strict",
    source: bytes = SOURCE,
    **template: Any,
) -> Rendered:
    """A Secret's content."""
    shape = SecretShape.model_validate({"template": template} if template else {})
    target = SealTarget(name, namespace, scope, "deterministic", shape, {}, "spec")
    values = values if values is not None else {"password": b"x"}
    items = {k: Value(Plaintext(v), source) for k, v in values.items()}
    return Rendered(target, items, ())


def made(one: Rendered, purpose: bytes = digest.NAME) -> bytes:
    """Its digest under a local key."""
    return digest.digest(purpose, one, lambda d: first_step(KEY, d))


def test_the_contract() -> None:
    """Step by step, without krmfn's own steps."""
    asked = tlv(b"krmfn/name/v1", b"strict", b"n", b"db", b"password", SOURCE)
    f = hmac.digest(KEY, hashlib.sha512(asked).digest(), "sha512")
    d = hmac.digest(f, b"x", "sha512")
    expected = hashlib.sha512(tlv(b"Opaque", b"true", b"password", d)).digest()
    assert made(content(type="Opaque", immutable=True)) == expected


@pytest.mark.parametrize(
    "other",
    [
        content({"password": b"y"}),
        content({"passwor": b"dx"}),
        content({"password": b"x", "b": b""}),
        content({}),
        content(name="db2"),
        content(namespace="m"),
        content(scope="namespace-wide"),
        content(source=SOURCE + b"\0"),
        content(type="Opaque"),
        content(immutable=False),
        content(immutable=True),
    ],
)
def test_what_changes_it(other: Rendered) -> None:
    """Value, key, place, scope, source, type and immutability."""
    assert made(other) != made(content())


def test_the_purposes_differ() -> None:
    """A name's hash says nothing of a checksum."""
    assert made(content(), digest.NAME) != made(content(), digest.CHECKSUM)


def test_forms() -> None:
    """A suffix is ten characters of a DNS name, a checksum 32 hex digits."""
    assert re.fullmatch("[a-z2-7]{10}", digest.suffix(made(content())))
    assert re.fullmatch("[0-9a-f]{32}", digest.checksum(made(content())))


@pytest.mark.parametrize("field", ["nameSuffixHash", "checksumAnnotation"])
def test_random_items_have_no_digest(field: str) -> None:
    """A keyed digest would say of a random item what its bytes do not."""
    claim = SecretClaim.model_validate(
        {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SecretClaim",
            "metadata": {"name": "db"},
            "spec": {field: True, "mode": "random", "data": [{"secretKey": "k", "value": "v"}]},
        }
    )
    config = SealedSecretTransformer.model_validate(
        {
            "apiVersion": "krmfn.dev/v1alpha1",
            "kind": "SealedSecretTransformer",
            "metadata": {"name": "t"},
            "spec": {"sealing": {"certificate": {"pem": "x"}}},
        }
    )
    with pytest.raises(KrmfnError, match="need mode: deterministic"):
        plan_claims(config, [(claim, "n")])


# --- checksums on pods

STAMP = Stamp("production", frozenset({"db", "p-db"}), "c" * 32)
WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app
  namespace: production
spec:
  template:
    spec:
      containers:
      - name: app
        env:
        - {name: A, value: "1e3"}
        - name: B
          value: 1e3
        envFrom:
        - secretRef:
            name: db
        args: [on, 0o17, "=", ~, 'é🔑']
        command:
        - |
          line

            indented
"""


def only(text: str) -> Any:
    """The one item of a stream."""
    (item,) = stream(text)
    return item


def test_a_template_gets_a_checksum() -> None:
    """Metadata and annotations are made where there are none; all else keeps its form."""
    done = stamped(only(WORKLOAD), [STAMP])[0]
    value = done.document.value()
    checksum = value["spec"]["template"]["metadata"]["annotations"].pop(ANNOTATION)
    assert re.fullmatch("[0-9a-f]{32}", checksum)
    del value["spec"]["template"]["metadata"]
    assert value == only(WORKLOAD).document.value()
    again = stamped(only(done.raw), [STAMP])[0]
    assert again.raw == done.raw


MARK = f'{ANNOTATION}: "SUM"'
HEAD = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: production}\nspec:\n  template:"
)
TAIL = """
    # of the pods
    spec:   # its own
      containers: [{name: a, envFrom: [{secretRef: {name: db}}]}]
      x: "1e3"   # kept

# the end
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD + TAIL, HEAD + f"\n    metadata:\n      annotations:\n        {MARK}" + TAIL),
        (
            f"{HEAD}\n    metadata:\n      # c\n      labels: {{a: b}}{TAIL}",
            f"{HEAD}\n    metadata:\n      annotations:\n        {MARK}\n      # c\n"
            f"      labels: {{a: b}}{TAIL}",
        ),
        (
            f"{HEAD}\n    metadata:\n      annotations:\n        z: y  # c{TAIL}",
            f"{HEAD}\n    metadata:\n      annotations:\n        {MARK}\n        z: y  # c{TAIL}",
        ),
        (
            f"{HEAD}\n    metadata:\n      annotations: {{}}   # c{TAIL}",
            f"{HEAD}\n    metadata:\n      annotations: {{{MARK}}}   # c{TAIL}",
        ),
        (
            f"{HEAD}\n    metadata:\n      annotations:\n      labels: {{a: b}}{TAIL}",
            f"{HEAD}\n    metadata:\n      annotations: {{{MARK}}}\n      labels: {{a: b}}{TAIL}",
        ),
        (
            f"{HEAD}\n    metadata:\n      annotations: null{TAIL}",
            f"{HEAD}\n    metadata:\n      annotations: {{{MARK}}}{TAIL}",
        ),
        (
            f"{HEAD}\n    metadata: {{ labels: {{a: b}} }}{TAIL}",
            f"{HEAD}\n    metadata: {{ annotations: {{{MARK}}}, labels: {{a: b}} }}{TAIL}",
        ),
        (
            f"{HEAD}\n    metadata: ~{TAIL}",
            f"{HEAD}\n    metadata: {{annotations: {{{MARK}}}}}{TAIL}",
        ),
        (
            f"{HEAD}\n    metadata:\n      annotations:\n        {ANNOTATION}: old{TAIL}",
            f"{HEAD}\n    metadata:\n      annotations:\n        {ANNOTATION}: SUM{TAIL}",
        ),
        ((HEAD + TAIL).replace("\n", "\r\n"), None),
    ],
)
@pytest.mark.parametrize("in_list", [False, True])
def test_all_other_bytes_stay(before: str, after: str | None, in_list: bool) -> None:
    """Comments, quotes, order and line ends: in the text the annotation is added, and no more."""
    if after is None:
        inserted = f"\r\n    metadata:\r\n      annotations:\r\n        {MARK}"
        after = before.replace("template:", f"template:{inserted}")
    if in_list:
        before, after = ("- " + text.replace("\n", "\n  ").rstrip(" ") for text in (before, after))
        head = "kind: ResourceList\nfunctionConfig: {kind: x}\nitems:\n"
        (item,) = read(head + before).items
    else:
        item = only(before)
    done = stamped(item, [STAMP])[0].raw
    (found,) = re.findall("[0-9a-f]{32}", done)
    wanted = after.replace("SUM", found)
    if f"{ANNOTATION}: old" in before:  # without quotes before, and so in them only where needed
        done = done.replace(f'"{found}"', found)
    assert done == wanted


def test_json_stays_json() -> None:
    """And so does JSON over several lines."""
    value = only(WORKLOAD).document.value()
    for indent in (None, 2):
        text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
        done = stamped(only(text), [STAMP])[0].raw
        back = json.loads(done)
        del back["spec"]["template"]["metadata"]
        assert back == value


def test_what_cannot_be_changed_in_place() -> None:
    """An alias on the way: refused with its position, and nothing half done."""
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: production}\n"
        "x: &t {spec: {containers: [{envFrom: [{secretRef: {name: db}}]}]}}\nspec: {template: *t}\n"
    )
    with pytest.raises(SpecError, match=r"an alias leads to it .*\[in-place\]"):
        stamped(only(text), [STAMP])


def placed(prefixes: str = "", suffixes: str = "", ref: str = "db") -> Any:
    """A workload that one use of a base has."""
    value = only(WORKLOAD.replace("name: db", f"name: {ref}")).document.value()
    internal = "internal.config.kubernetes.io/"
    marks = {f"{internal}prefixes": prefixes, f"{internal}suffixes": suffixes}
    value["metadata"]["annotations"] = {name: text for name, text in marks.items() if text}
    return only(json.dumps(value, ensure_ascii=False))


def use(name: str, digit: str, prefixes: str = "", suffixes: str = "") -> Stamp:
    """The Secret of one use of a base."""
    found = affixes(
        {
            "internal.config.kubernetes.io/prefixes": prefixes,
            "internal.config.kubernetes.io/suffixes": suffixes,
        }
    )
    return Stamp("production", frozenset({"db", name}), digit * 32, found)


@pytest.mark.parametrize(
    ("workload", "meant"),
    [
        (placed("a-,p-"), "a"),
        (placed("b-,p-"), "b"),
        (placed("a-,p-", "-x"), "a"),
        (placed("p-", "-c"), "c"),
        (placed(ref="b-db"), "b"),
        (placed(ref="a-db"), "a"),
        (placed("z-"), "abc"),  # kustomize would not know either: nobody restarts too seldom
    ],
)
def test_one_base_that_is_used_several_times(workload: Any, meant: str) -> None:
    """Each workload has the checksum of its own use's Secret, as kustomize renames references."""
    uses = {
        "a": use("a-db", "a", "a-,p-"),
        "b": use("b-db", "b", "b-,p-"),
        "c": use("db-c", "c", "p-", "-c"),
    }
    alone = [stamped(workload, [uses[name]])[0].raw for name in meant]
    together = stamped(workload, list(uses.values()))[0].raw
    if len(meant) == 1:
        assert together == alone[0]
    else:
        assert together not in alone


def test_in_a_list() -> None:
    """An item of a ResourceList stays an entry of it, at its indent."""
    for margin in ("", "  "):
        lines = WORKLOAD.splitlines(keepends=True)
        entry = f"{margin}- {lines[0]}" + "".join(
            f"{margin}  {line}" if line.strip() else line for line in lines[1:]
        )
        text = f"kind: ResourceList\nitems:\n{entry}functionConfig: {{kind: x}}\n"
        (item,) = read(text).items
        done, _ = stamped(item, [STAMP])
        assert done.raw.startswith(f"{margin}- ")
        (back,) = read(f"kind: ResourceList\nitems:\n{done.raw}functionConfig: {{}}\n").items
        assert back.document.value() == stamped(only(WORKLOAD), [STAMP])[0].document.value()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: db", "name: other"),
        ("namespace: production", "namespace: dev"),
        ("kind: Deployment", "kind: Unknown"),
        ("secretRef", "configMapRef"),
    ],
)
def test_who_gets_none(old: str, new: str) -> None:
    """Another Secret, namespace, kind or reference: the item comes back as it was."""
    item = only(WORKLOAD.replace(old, new))
    assert stamped(item, [STAMP])[0] is item


def test_a_pod_gets_none() -> None:
    """A Pod has no template, and restarts nobody."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "production"},
        "spec": {"containers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]},
    }
    item = only(json.dumps(pod))
    assert stamped(item, [STAMP])[0] is item


def podspec_names() -> list[str]:
    """Where a PodSpec names Secrets."""
    fields = {"file": ".secretName", "name": ""}
    entries = catalogue.pods()["podSpecRefs"]
    return [f"{at}{fields.get(e['form'], '.name')}" for e in entries for at in e["at"]]


def test_every_reference_of_the_catalogue() -> None:
    """Each path of the catalogue finds its Secret, in each kind of workload."""
    for ref in podspec_names():
        value: Any = "db"
        for step in reversed(ref.split(".")):
            value = {step.removesuffix("[]"): [value] if step.endswith("[]") else value}
        for kind, paths in pod_specs().items():
            for path in paths:
                whole: Any = value
                for step in reversed(path.split(".")):
                    whole = {step: whole}
                assert list(restart.references(whole, path)) == ["db"], (kind, ref)


def test_two_secrets() -> None:
    """The checksum of a template covers all of its Secrets, and changes with each."""
    text = WORKLOAD.replace("name: db", "name: db\n        - secretRef: {name: mq}")
    found = {
        stamped(only(text), stamps)[0].raw
        for stamps in (
            [STAMP],
            [STAMP, Stamp("production", frozenset({"mq"}), "d" * 32)],
            [STAMP, Stamp("production", frozenset({"mq"}), "e" * 32)],
            [Stamp("production", frozenset({"mq"}), "d" * 32), STAMP],
        )
    }
    assert len(found) == 3


def test_workloads_in_a_list() -> None:
    """Each gets its own checksum, where it stands, and the rest of the list keeps its bytes."""
    lines = WORKLOAD.splitlines(keepends=True)
    entry = "- " + "".join(f"  {line}" if line.strip() else line for line in lines)[2:]
    other = entry.replace("name: db", "name: other")
    head = "apiVersion: v1\nkind: List\nitems:\n# of two\n"
    item = only(head + entry + other + entry)
    done, digests = stamped(item, [STAMP])
    assert len(digests) == 2
    inserted = f'  metadata:\n    annotations:\n      {ANNOTATION}: "{digests[0]}"\n'
    marked = entry.replace("    template:\n", "    template:\n" + indented(inserted))
    assert done.raw == head + marked + other + marked
    assert stamped(only(head + other), [STAMP]) == (only(head + other), [])


def indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))
