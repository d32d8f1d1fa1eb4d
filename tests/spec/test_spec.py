"""Every mistake in a configuration: its place, what is wrong, and never what stood there."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krmfn.cli.schema import ALL_KINDS, schema_of
from krmfn.documents import strict
from krmfn.errors import Failure
from krmfn.spec.generator import SealedSecretGenerator, stores_of_secret
from krmfn.spec.mistakes import PATTERNS
from krmfn.spec.model import Model
from krmfn.spec.parse import name_of, parse
from krmfn.spec.published import published
from krmfn.spec.stores import AgeDocument
from krmfn.spec.validator import SealedSecretValidator
from tests.support.specs import GONE, at, changed, generator, paths

if TYPE_CHECKING:
    from krmfn.errors import KrmfnError

CANARY = "c4n4ry value"
NAME = "SealedSecretGenerator/logto"
KEYS = "must be letters, digits, '-', '_' and '.', not '.' alone and not '..' first"
FIRST = ("spec", "secrets", 0)


def mistakes(value: Any, **where: Any) -> list[str]:
    """The lines of all mistakes, without the resource that they begin with."""
    with pytest.raises(Failure) as caught:
        parse(value, **where)
    assert caught.value.__cause__ is None
    assert {e.exit_code for e in caught.value.errors} == {2}
    return [e.line() for e in caught.value.errors]


def failures(value: Any) -> tuple[KrmfnError, ...]:
    """The errors of a configuration that may be right."""
    try:
        parse(value)
    except Failure as failure:
        return failure.errors
    return ()


def test_a_configuration_with_everything_is_taken() -> None:
    """Lists become tuples, defaults are filled in, nothing is converted."""
    config = parse(generator())
    assert isinstance(config, SealedSecretGenerator)
    assert config.spec.secrets[0].data[0].remote_ref is not None
    assert config.spec.secrets[0].data[0].remote_ref.version == 3
    assert config.spec.secrets[0].data[2].remote_ref.as_ == "json"  # type: ignore[union-attr]
    assert stores_of_secret(config.spec.secrets[0]) == {"main", "local"}


def test_a_validator_needs_nothing() -> None:
    """A validator without a spec, or with an empty one, is valid."""
    base = {
        "apiVersion": "krmfn.dev/v1alpha1",
        "kind": "SealedSecretValidator",
        "metadata": {"name": "v"},
    }
    assert isinstance(parse(base), SealedSecretValidator)
    assert isinstance(parse({**base, "spec": {}}), SealedSecretValidator)
    assert mistakes({**base, "spec": {"x": 1}}) == [
        "SealedSecretValidator/v: spec.x: unknown field [spec]"
    ]


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (
            (*FIRST, "data", 0, "remoteRef", "key"),
            GONE,
            "spec.secrets[0].data[0].remoteRef.key: required",
        ),
        (
            (*FIRST, "data", 0, "remoteRef", "propertyy"),
            "x",
            "spec.secrets[0].data[0].remoteRef.propertyy: unknown field; did you mean property?",
        ),
        ((*FIRST, "dta"), [], "spec.secrets[0].dta: unknown field; did you mean data?"),
        ((*FIRST, "zzzzzz"), [], "spec.secrets[0].zzzzzz: unknown field"),
        (("spec", "sealing", "scop"), "x", "spec.sealing.scop: unknown field; did you mean scope?"),
        (
            ("spec", "stores", "main", "vault", "auth", "appRole", "roleID"),
            "x",
            "spec.stores.main.vault.auth.appRole.roleID: unknown field; did you mean roleId?",
        ),
        (
            ("spec", "stores", "main", "vault", "tls", "cert"),
            {},
            "spec.stores.main.vault.tls.cert: unknown field; did you mean certRef?",
        ),
        (("metadata", "nam"), "x", "metadata.nam: unknown field; did you mean name?"),
        (
            (*FIRST, "data", 1, "value"),
            5,
            "spec.secrets[0].data[1].value: must be a string; quote the value",
        ),
        ((*FIRST, "data"), {}, "spec.secrets[0].data: must be a list"),
        ((*FIRST, "data", 0), CANARY, "spec.secrets[0].data[0]: must be an object"),
        ((*FIRST, "template", "data"), [], "spec.secrets[0].template.data: must be an object"),
        (
            (*FIRST, "template", "immutable"),
            "true",
            "spec.secrets[0].template.immutable: must be true or false",
        ),
        (
            (*FIRST, "data", 0, "remoteRef", "version"),
            "3",
            "spec.secrets[0].data[0].remoteRef.version: must be an integer",
        ),
        (
            (*FIRST, "data", 0, "remoteRef", "version"),
            0,
            "spec.secrets[0].data[0].remoteRef.version: must be greater than or equal to 1",
        ),
        (("spec", "secrets"), [], "spec.secrets: must not be empty"),
        (
            (*FIRST, "name"),
            "",
            "spec.secrets[0].name: must be lower-case letters, digits, '-' and '.' (a DNS name)",
        ),
        ((*FIRST, "name"), "x" * 254, "spec.secrets[0].name: must have at most 253 characters"),
        (
            ("metadata", "namespace"),
            "Prod",
            "metadata.namespace: must be lower-case letters, digits and '-' (a DNS label)",
        ),
        (
            (*FIRST, "data", 0, "secretKey"),
            "a b",
            f"spec.secrets[0].data[0].secretKey: {KEYS}",
        ),
        (
            (*FIRST, "template", "data"),
            {"a b": "x"},
            f"spec.secrets[0].template.data.a b: {KEYS}",
        ),
        (
            ("spec", "sealing", "epoch"),
            "",
            "spec.sealing.epoch: must be 1 to 64 letters, digits, '.', '_' and '-'",
        ),
        (
            ("spec", "sealing", "derivationKey", "id"),
            "AB",
            "spec.sealing.derivationKey.id: must be 16 lower-case hex digits",
        ),
        (
            ("spec", "sealing", "certificate"),
            {"url": "https://x", "sha256": "AB"},
            "spec.sealing.certificate.sha256: must be 64 lower-case hex digits",
        ),
        (
            ("spec", "stores", "main", "vault", "id"),
            "A",
            "spec.stores.main.vault.id: must be 1 to 63 lower-case letters, digits, '-' and '.'",
        ),
        (
            ("spec", "stores", "main", "vault", "auth", "appRole", "secretRef", "env"),
            "a-b",
            "spec.stores.main.vault.auth.appRole.secretRef.env: must be letters, digits "
            "and '_' (a variable's name)",
        ),
        (
            (*FIRST, "store"),
            "-x",
            "spec.secrets[0].store: must be letters, digits, '-', '_' and '.', a letter or digit first",
        ),
        (
            ("spec", "sealing", "scope"),
            "Strict",
            "spec.sealing.scope: must be 'strict', 'namespace-wide' or 'cluster-wide'",
        ),
        (
            ("spec", "sealing", "certificate"),
            {},
            "spec.sealing.certificate: one of file, pem, url, store, platform: required",
        ),
        (
            ("spec", "sealing", "certificate"),
            CANARY,
            "spec.sealing.certificate: one of file, pem, url, store, platform: required",
        ),
        (
            ("spec", "sealing", "derivationKey"),
            {},
            "spec.sealing.derivationKey: one of transit, store, platform: required",
        ),
        (
            ("spec", "stores", "local"),
            {"aeg": {}},
            "spec.stores.local: one of vault, age, platform: required",
        ),
        (
            ("spec", "stores", "main", "vault", "auth"),
            {"kubernets": {}},
            "spec.stores.main.vault.auth: one of tokenRef, appRole, kubernetes, jwt, userPass, "
            "ldap, cert, none: required",
        ),
        (
            ("spec", "stores", "local", "age", "identityRef"),
            CANARY,
            "spec.stores.local.age.identityRef: one of env, file: required",
        ),
        (
            ("spec", "stores", "main", "vault", "auth"),
            {"appRole": {"secretRef": {"env": "E"}}},
            "spec.stores.main.vault.auth.appRole: exactly one of roleId, roleRef: required",
        ),
        (
            ("spec", "stores", "main", "vault", "caBundle"),
            "x",
            "spec.stores.main.vault: at most one of caBundle, caFile",
        ),
        (
            (*FIRST, "data", 1, "remoteRef"),
            {"key": "x"},
            "spec.secrets[0].data[1]: exactly one of remoteRef, value: required",
        ),
        (
            (*FIRST, "data", 1, "value"),
            GONE,
            "spec.secrets[0].data[1]: exactly one of remoteRef, value: required",
        ),
        (
            (*FIRST, "data", 1, "store"),
            "main",
            "spec.secrets[0].data[1]: store has no meaning beside value",
        ),
        ((*FIRST, "data", 1, "secretKey"), "ID", "spec.secrets[0]: secretKey ID appears twice"),
        ((*FIRST, "store"), "mian", "spec: the store mian is used and not defined under stores"),
        (
            ("spec", "sealing", "certificate"),
            {"store": "certs", "key": "k", "property": "p"},
            "spec: the store certs is used and not defined under stores",
        ),
        (
            ("spec", "sealing", "derivationKey"),
            {"transit": {"store": "t", "key": "k", "version": 1}},
            "spec: the store t is used and not defined under stores",
        ),
    ],
)
def test_a_mistake_is_one_whole_line(path: Any, value: Any, line: str) -> None:
    """Resource, path, what is wrong, what may be meant, id."""
    assert mistakes(changed(path, value)) == [f"{NAME}: {line} [spec]"]


def test_a_secret_twice() -> None:
    """Two secrets of one name are one too many."""
    value = generator()
    value["spec"]["secrets"].append(value["spec"]["secrets"][0])
    assert mistakes(value) == [f"{NAME}: spec: the secret backup appears twice [spec]"]


def test_all_mistakes_together() -> None:
    """Several mistakes are reported at once, in the order of the document."""
    value = changed((*FIRST, "data", 0, "remoteRef", "key"), GONE)
    value["spec"]["sealing"]["scope"] = "Strict"
    value["spec"]["secrets"][0]["data"].append({"secreKey": "x"})
    value["metadata"]["namespace"] = "Prod"
    assert mistakes(value) == [
        f"{NAME}: metadata.namespace: must be lower-case letters, digits and '-' (a DNS label) [spec]",
        f"{NAME}: spec.sealing.scope: must be 'strict', 'namespace-wide' or 'cluster-wide' [spec]",
        f"{NAME}: spec.secrets[0].data[0].remoteRef.key: required [spec]",
        f"{NAME}: spec.secrets[0].data[3].secretKey: required [spec]",
        f"{NAME}: spec.secrets[0].data[3].secreKey: unknown field; did you mean secretKey? [spec]",
    ]


def test_a_file_is_named_with_line_and_column() -> None:
    """A plain command says where in the file, a parent's place for what is not there."""
    text = """\
apiVersion: krmfn.dev/v1alpha1
kind: SealedSecretGenerator
metadata: {name: logto}
spec:
  sealing:
    certificate: {file: c.pem}
    scop: strict
  secrets:
  - name: a
    data:
    - value: x
"""
    (document,) = strict.documents(text, "secrets.yaml")
    assert mistakes(document.value(), where="secrets.yaml", position=document.position) == [
        f"secrets.yaml:7:5: {NAME}: spec.sealing.scop: unknown field; did you mean scope? [spec]",
        f"secrets.yaml:11:7: {NAME}: spec.secrets[0].data[0].secretKey: required [spec]",
    ]
    assert mistakes(document.value(), where="secrets.yaml")[0].startswith(f"secrets.yaml: {NAME}: ")


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ({}, ""),
        ({"kind": None}, ""),
        ({"kind": ["x"], "apiVersion": {}}, ""),
        (
            {"kind": "SealedSecretGenerater", "apiVersion": "krmfn.dev/v1alpha1"},
            "; did you mean SealedSecretGenerator?",
        ),
        ({"kind": "SealedSecretGenerator", "apiVersion": "krmfn.dev/v1"}, ""),
        ({"kind": "ConfigMap", "apiVersion": "v1", "data": CANARY}, ""),
    ],
)
def test_what_is_not_ours(value: Any, remedy: str) -> None:
    """An unknown kind or version says which there are."""
    assert mistakes(value) == [
        "not a krmfn resource, expected krmfn.dev/v1alpha1 and "
        "SealedSecretGenerator or SealedSecretTransformer or SealedSecretValidator or SecretClaim"
        f"{remedy} [spec]"
    ]


@pytest.mark.parametrize("value", [None, [], CANARY, 1, True])
def test_what_is_no_object(value: Any) -> None:
    """A document that is no mapping is said to be none."""
    assert mistakes(value, where="f.yaml") == ["f.yaml: the configuration is not an object [spec]"]


def test_names_of_objects() -> None:
    """As far as an object has them."""
    assert name_of({"kind": "A", "metadata": {"name": "b"}}) == "A/b"
    assert name_of({"kind": "A", "metadata": {"name": 1}}) == "A"
    assert name_of({"kind": "A", "metadata": []}) == "A"


# The object's own name begins every message.
NOT_NAMES = [path for path in paths() if path != ("metadata", "name")]


@pytest.mark.parametrize("path", NOT_NAMES, ids=lambda p: ".".join(map(str, p)))
@pytest.mark.parametrize(
    "value", [CANARY, [CANARY], {"x": CANARY}, [[CANARY]], {"x": {"y": [CANARY]}}]
)
def test_no_message_quotes_what_stood_there(path: Any, value: Any) -> None:
    """A value in a wrong place, or of a wrong type, does not show itself in any message."""
    for error in failures(changed(path, value)):
        assert CANARY not in "".join(traceback.format_exception(error))
        assert CANARY not in error.line()


def test_every_pattern_has_words() -> None:
    """A regular expression teaches nobody: each has its meaning, and no meaning is left over."""
    used: set[str] = set()

    def collect(schema: Any) -> None:
        if isinstance(schema, dict):
            used.update(v for k, v in schema.items() if k == "pattern" and isinstance(v, str))
            for value in schema.values():
                collect(value)
        elif isinstance(schema, list):
            for value in schema:
                collect(value)

    for schema in (
        *map(schema_of, ALL_KINDS),
        published(AgeDocument).model_json_schema(by_alias=True),
    ):
        collect(schema)
    assert len(used) == 12
    for pattern in used:
        assert any(rule in pattern for rule, _ in PATTERNS), pattern


def all_models(base: type[Model] = Model) -> set[type[Model]]:
    return {base}.union(*(all_models(each) for each in base.__subclasses__()))


def test_models_are_strict_and_frozen() -> None:
    """All of them share one configuration, and none can be changed after it was made."""
    for model in all_models():
        config = published(model).model_config
        assert config["strict"]
        assert config["frozen"]
        assert config["extra"] == "forbid"
        assert config["hide_input_in_errors"]
        with pytest.raises(AttributeError, match="frozen"):
            model.model_construct().x = 1  # type: ignore[attr-defined]


RULES = re.compile(
    r"exactly one of|appears twice|is used and not defined|no meaning|at most one of"
)
SCHEMA = jsonschema.Draft202012Validator(schema_of("SealedSecretGenerator"))
ALL_PATHS = list(paths())
LEAVES = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        1.5,
        "",
        "a",
        "A b",
        "v1",
        "json",
        "strict",
        "x" * 254,
        "0" * 64,
        [],
        {},
        ["a"],
        {"a": "b"},
    ]
)


def assert_agreement(config: Any) -> None:
    """Either both take it, or both refuse it; rules across fields are the models' alone.

    The schema does not require what `.krmfn.yaml` may set.
    """
    inherited = [("spec.sealing", "required"), ("spec.sealing.certificate", "required")]
    found = [e for e in failures(config) if (e.key, e.message) not in inherited]
    structural = [e.line() for e in found if not RULES.search(e.message)]
    assert SCHEMA.is_valid(config) == (not structural), structural


@given(st.sampled_from(ALL_PATHS), LEAVES | st.just(GONE) | st.sampled_from(ALL_PATHS))
def test_the_json_schema_and_the_models_agree(path: Any, value: Any) -> None:
    """What the models take the schema takes, and structural mistakes are mistakes in both."""
    value = at(generator(), value) if isinstance(value, tuple) else value
    assert_agreement(changed(path, value))


@given(st.sampled_from(ALL_PATHS), st.text("abcdefgABC-_. ", min_size=1, max_size=8), LEAVES)
def test_unknown_fields_are_unknown_to_both(path: Any, name: str, value: Any) -> None:
    """A field added anywhere is refused or taken by both."""
    config = generator()
    target = at(config, path)
    if isinstance(target, dict):
        target[name] = value
        assert_agreement(config)


def test_keys_are_checked_by_the_schema() -> None:
    """A data key that no Secret can have is a mistake in an editor too."""
    for key in ("a b", "x" * 254, ""):
        assert_agreement(changed((*FIRST, "template", "data"), {key: "x"}))
        assert not SCHEMA.is_valid(changed((*FIRST, "template", "data"), {key: "x"}))


@pytest.mark.parametrize("kind", [{"a": "b"}, ["x"], 5, None, True])
@pytest.mark.parametrize("name", ["n", {"a": "b"}, 5])
def test_a_kind_or_name_that_is_no_text(kind: Any, name: Any) -> None:
    """The error quotes neither as Python writes it."""
    value = {"apiVersion": "krmfn.dev/v1alpha1", "kind": kind, "metadata": {"name": name}}
    assert "{'" not in name_of(value) + name_of({**value, "kind": "SecretClaim"})
    with pytest.raises(Failure) as failure:
        parse(value)
    assert all("{'" not in error.line() for error in failure.value.errors)
