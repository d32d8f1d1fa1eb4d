"""Conditions, templates and versions of the catalogue's entries."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.audit.entries import Entries, Scope, is_since
from krmfn.spec.catalogue import CatalogueSpec, Condition

VALUE = {
    "metadata": {"name": "db", "namespace": "prod"},
    "spec": {"on": True, "empty": [], "text": "", "users": [{"name": "a"}, {"name": "b"}]},
}
CNPG = ["1.19.5", "1.20.3", "1.21.0"]


def scope(here: Any = VALUE, place: tuple[str | int, ...] = (), **versions: str) -> Scope:
    return Scope(VALUE, here, place, "cnpg", versions)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({}, True),
        ({"is": {"spec.on": True}}, True),
        ({"is": {"spec.on": "true"}}, False),
        ({"is": {"spec.users[].name": "b"}}, True),
        ({"is": {"spec.users[].name": ["x", "a"]}}, True),
        ({"is": {"spec.users[].name": ["x"]}}, False),
        ({"is": {"spec.on": True, "spec.none": 1}}, False),
        ({"has": ["spec.on", "spec.users"]}, True),
        ({"has": ["spec.on", "spec.empty"]}, False),
        ({"has": ["spec.text"]}, False),
        ({"lacks": ["spec.empty", "spec.text", "spec.none"]}, True),
        ({"lacks": ["spec.none", "spec.on"]}, False),
        ({"any": [{"has": ["spec.none"]}, {"has": ["spec.on"]}]}, True),
        ({"any": [{"has": ["spec.none"]}]}, False),
        ({"none": [{"has": ["spec.none"]}, {"lacks": ["spec.on"]}]}, True),
        ({"none": [{"has": ["spec.none"]}, {"has": ["spec.on"]}]}, False),
        ({"is": {"here.name": "a"}}, True),
        ({"is": {"here.name": "b"}}, False),
        ({"has": ["spec.on"], "none": [{"has": ["spec.on"]}]}, False),
    ],
)
def test_conditions(condition: dict[str, Any], holds: bool) -> None:
    """Each part of a condition has to hold; what is empty is not there."""
    seen = scope(here=VALUE["spec"]["users"][0])  # type: ignore[index]  # plain values
    assert seen.holds(Condition.model_validate(condition)) is holds


@pytest.mark.parametrize(
    ("version", "since"),
    [
        ("1.18.9", False),
        ("1.19.4", False),
        ("1.19.5", True),
        ("1.19.10", True),
        ("1.20.2", False),
        ("1.20.3", True),
        ("1.21.0", True),
        ("1.21", True),
        ("1.30.1", True),
        ("2.0.0", True),
        ("0.9.9", False),
    ],
)
def test_since_counts_for_each_minor_release(version: str, since: bool) -> None:
    """A fix that went into several releases counts from its own patch of each."""
    assert is_since(version, CNPG) is since
    assert scope(cnpg=version).holds(Condition.model_validate({"since": CNPG})) is since
    assert scope(cnpg=version).holds(Condition.model_validate({"before": CNPG})) is not since


def test_an_unknown_version_is_the_newest() -> None:
    """Without a version everything that an operator does by now counts; another's does not matter."""
    assert scope().holds(Condition.model_validate({"since": CNPG}))
    assert not scope(other="0.1").holds(Condition.model_validate({"before": CNPG}))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{metadata.name}-app", "db-app"),
        ("{spec.none|metadata.name}-app", "db-app"),
        ("{spec.none|=tls.key}", "tls.key"),
        ("{spec.text|=other}", "other"),
        ("{spec.none}-app", None),
        ("{spec.on}", None),
        ("{here.name}", "a"),
        ("{key}.{metadata.name}", "app_user.db"),
        ("{key:dns}.{metadata.name}", "app-user.db"),
    ],
)
def test_templates(template: str, text: str | None) -> None:
    """A template is filled from the object, or gives nothing when a field is not there."""
    assert scope({"name": "a"}, ("spec", "app_user", 0)).fill(template) == text


def test_the_first_template_that_is_whole() -> None:
    """Of several, the first whose fields are all there."""
    assert scope().first(["{spec.none}", "{metadata.name}", "x"]) == "db"
    assert scope().first(["{spec.none}"]) is None


def test_kinds_are_looked_up_from_exact_to_any() -> None:
    """`group/Kind`, `group/*`, `*/Kind` and `*` apply, in that order; others do not."""
    names = ["*", "*/Kind", "g.io/*", "g.io/Kind", "g.io/Other", "h.io/*", "*/Other"]
    consumers = [{"kinds": [n], "at": ["x"], "form": "name", "note": n} for n in names]
    producers = [{"from": [n], "names": ["x"], "note": n} for n in names]
    entries = Entries()
    entries.add(
        CatalogueSpec.model_validate(
            {"consumers": consumers, "producers": producers, "operator": "o"}
        )
    )
    expected = ["g.io/Kind", "g.io/*", "*/Kind", "*"]
    assert [one.note for one in entries.consumers_of("g.io/Kind")] == expected
    assert [(o, one.note) for o, one in entries.producers_of("g.io/Kind")] == [
        ("o", note) for note in expected
    ]
    assert entries.knows("g.io/New")
    assert not entries.knows("new.io/Kind")
