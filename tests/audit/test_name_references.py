"""Fields that a build's `configurations:` say refer to Secrets."""

from __future__ import annotations

from krmfn.audit.name_references import field_specs
from krmfn.audit.rules import check
from tests.support.synthesis import judged

CONFIGURATION = {
    "nameReference": [
        {
            "kind": "Secret",
            "fieldSpecs": [
                {"kind": "Widget", "group": "x.example", "path": "spec/parts/login"},
                {"path": r"metadata/annotations/x.example\/login"},
            ],
        },
        {"kind": "ConfigMap", "fieldSpecs": [{"path": "spec/settings"}]},
    ]
}
WIDGET = {
    "apiVersion": "x.example/v1",
    "kind": "Widget",
    "metadata": {"name": "w", "namespace": "a", "annotations": {"x.example/login": "three"}},
    "spec": {"parts": [{"login": "one"}, {"login": {"name": "two"}}], "settings": "four"},
}


def test_the_fields_refer_to_secrets() -> None:
    """Lists are walked over, a mapping's name counts, a quoted slash belongs to the step."""
    specs = field_specs(CONFIGURATION)
    found = {one.reference.at: one.reference.secret for one in judged(WIDGET, refers=specs).judged}
    assert found == {
        "spec.parts[0].login": "one",
        "spec.parts[1].login": "two",
        "metadata.annotations.x.example/login": "three",
    }
    assert judged(WIDGET).judged == ()
    missing = [one for one in check(judged(WIDGET, refers=specs)) if one.rule == "unmet-reference"]
    assert {one.severity for one in missing} == {"warning"}
    other = {**WIDGET, "kind": "Other"}
    assert [j.reference.secret for j in judged(other, refers=specs).judged] == ["three"]


def test_a_namespace_beside_the_name_counts() -> None:
    """As kustomize has it: a mapping may name both."""
    value = {**WIDGET, "spec": {"parts": {"login": {"name": "two", "namespace": "b"}}}}
    found = [one.reference for one in judged(value, refers=field_specs(CONFIGURATION)).judged]
    assert [(one.namespace, one.secret) for one in found] == [("b", "two"), ("a", "three")]


def test_version_and_marks_of_lists() -> None:
    """A version narrows a field, and ``[]`` behind a step says nothing."""
    for version, number in (("v1", 2), ("v2", 0), ("", 2)):
        fields = [{"kind": "Widget", "version": version, "path": "spec/parts[]/login"}]
        specs = field_specs({"nameReference": [{"kind": "Secret", "fieldSpecs": fields}]})
        assert len(judged(WIDGET, refers=specs).judged) == number


def test_what_is_no_configuration_says_nothing() -> None:
    """Of any shape."""
    for value in (None, [], {"nameReference": "x"}, {"nameReference": [{"kind": "Secret"}]}):
        assert field_specs(value) == []
    for fields in (3, ["x"], [{"path": ["spec"]}], [{"path": ""}], [{"path": "/"}], [{"kind": 3}]):
        assert field_specs({"nameReference": [{"kind": "Secret", "fieldSpecs": fields}]}) == []
