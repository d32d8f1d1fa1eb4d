"""From audits to a table: states, names, shapes and letters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.matrix.equal import Value
from krmfn.matrix.letters import share
from krmfn.matrix.table import Column, Row, Table, label_columns, shown, table
from tests.support.audits import audited, claim, cluster, pod, secret

if TYPE_CHECKING:
    from krmfn.audit.judge import Audit


def column(name: str, audit: Audit, prefix: str = "") -> Column:
    return Column(name, f"overlays/{name}", audit, lambda n: n.removeprefix(prefix))


def one(*objects: dict[str, Any], **options: Any) -> dict[str, str]:
    """The states of a single overlay's Secrets."""
    assume = options.pop("assume", ())
    found = table([column("a", audited(*objects, assume=assume))], **options)
    return {row.name: row.cells[0].state for row in found.rows}


def row(found: Table, name: str) -> Row:
    (result,) = (row for row in found.rows if row.name == name)
    return result


SEALED = {
    "apiVersion": "bitnami.com/v1alpha1",
    "kind": "SealedSecret",
    "metadata": {"name": "s", "namespace": "n"},
    "spec": {"encryptedData": {"k": "AgBy"}},
}
ASSUMED = [{"secret": "s", "because": "made elsewhere"}]


@pytest.mark.parametrize(
    ("objects", "options", "state"),
    [
        ([claim("s", "k")], {}, "sealed"),
        ([SEALED], {}, "committed"),
        ([secret("s", "k")], {}, "plain"),
        ([pod(("s", "k"))], {}, "missing"),
        ([pod(("s", "k"), optional=True)], {}, "optional"),
        ([pod(("s", "k"))], {"assume": ASSUMED}, "elsewhere"),
        ([claim("s", "k"), pod(("s", "k"))], {}, "sealed"),
        ([claim("s", "k"), secret("s", "l")], {}, "plain"),  # what needs more attention
        ([claim("s", "k"), pod(("s", "k"), optional=True)], {}, "sealed"),
    ],
)
def test_states(objects: list[dict[str, Any]], options: dict[str, Any], state: str) -> None:
    """Each Secret has one state, by who makes it and who refers to it."""
    assert one(*objects, **options) == {"s": state}


def test_operators_and_assumptions_count_when_asked_for() -> None:
    """What an operator makes is a row when something refers to it, or everything is wanted."""
    assert one(cluster()) == {}
    assert one(cluster(), pod(("pg-app", "uri"))) == {"pg-app": "operator"}
    assert one(cluster(), everything=True)["pg-ca"] == "operator"
    assert one(secret("t", "k"), assume=ASSUMED) == {"t": "plain"}


def test_not_needed_here() -> None:
    """A row of one overlay is `not-needed` in another that neither refers to it nor makes it."""
    found = table([column("a", audited(pod())), column("b", audited(claim("s", "k")))])
    assert [cell.state for cell in row(found, "s").cells] == ["not-needed", "sealed"]
    assert found.count("sealed") == 1
    assert found.count("not-needed") == 1


def test_an_operator_row_of_one_overlay_is_told_in_all() -> None:
    """Referred to in one overlay, an operator's Secret is shown in the others that make it."""
    found = table(
        [column("a", audited(cluster())), column("b", audited(cluster(), pod(("pg-app", "uri"))))]
    )
    assert [cell.state for cell in row(found, "pg-app").cells] == ["operator", "operator"]


def test_renamed_secrets_are_one_row() -> None:
    """A prefix is no part of a row's name, also inside the name of what an operator makes."""
    stg = audited(
        claim("stg-s", "k"), cluster("stg-pg"), pod(("stg-s", "k"), ("stg-pg-app", "uri"))
    )
    own = audited(claim("s", "k"), cluster("pg"), pod(("s", "k"), ("pg-app", "uri")))
    found = table([column("stg", stg, "stg-"), column("own", own)])
    assert [r.name for r in found.rows] == ["pg-app", "s"]
    assert row(found, "s").cells[0].places[0].names == ("stg-s",)


def test_a_name_that_is_no_objects_own_is_kept() -> None:
    """A name in a field of an operator's object was never renamed, so nothing is taken off it."""
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "stg-web", "namespace": "n"},
        "spec": {"secretName": "stg-tls", "issuerRef": {"name": "i"}, "dnsNames": ["x"]},
    }
    found = table([column("a", audited(certificate), "stg-")], everything=True)
    assert [r.name for r in found.rows] == ["stg-tls"]


def test_a_reference_that_did_not_follow_its_maker_is_missing() -> None:
    """The maker was renamed and the reference was not: missing, with both names."""
    found = table([column("a", audited(cluster("stg-pg"), pod(("pg-app", "uri"))), "stg-")])
    (place,) = row(found, "pg-app").cells[0].places
    assert (place.state, place.names) == ("missing", ("pg-app", "stg-pg-app"))
    assert place.by == ("Cluster/stg-pg",)


def test_keys_that_nobody_makes() -> None:
    """A Secret that is made without a key that something needs lacks it."""
    found = table([column("a", audited(claim("s", "k"), pod(("s", "k"), ("s", "l"))))])
    assert row(found, "s").cells[0].lacks == ["l"]
    assert row(found, "s").cells[0].state == "sealed"


def test_namespaces_are_places_of_one_cell() -> None:
    """A name in two namespaces of an overlay is one cell, in the state that needs attention."""
    audit = audited(claim("s", "k", namespace="m"), pod(("s", "k"), namespace="n"))
    cell = row(table([column("a", audit)]), "s").cells[0]
    assert [(p.namespace, p.state) for p in cell.places] == [("m", "sealed"), ("n", "missing")]
    assert cell.state == "missing"


def test_shapes_that_differ() -> None:
    """Types and keys that overlays do not have in common are told, with who has them."""
    columns = [
        column("a", audited(secret("s", "tls.crt", "tls.key", type="kubernetes.io/tls"))),
        column("b", audited(secret("s", "tls.crt", "ca"))),
        column("c", audited(pod(("s", "tls.crt")))),  # makes none, so it has no shape
    ]
    found = row(table(columns), "s")
    assert found.differs
    assert found.types == {"Opaque": ["b"], "kubernetes.io/tls": ["a"]}
    assert found.keys == {"ca": ["b"], "tls.key": ["a"]}


def test_shapes_that_may_be_equal_do_not_differ() -> None:
    """Where keys or a type are not known, nothing is said against them."""
    columns = [
        column("a", audited(claim("s", "k"), pod(("s", "k")))),
        column("b", audited(pod(("s", "k")), assume=ASSUMED)),
    ]
    assert not row(table(columns), "s").differs
    same = [column(name, audited(claim("s", "k"))) for name in "ab"]
    assert not row(table(same), "s").differs


def test_letters_follow_the_table() -> None:
    """Letters are given by row, column and key, whatever order the groups come in."""
    found = table([column(name, audited(claim("s", "k"), claim("t", "k", "l"))) for name in "ab"])
    low = [Value(c, "t", "n", "l", b"one") for c in "ba"]
    high = [Value("b", "t", "n", "k"), Value("b", "s", "n", "k")]
    for groups in ([low, high], [high, low]):
        for one_ in found.rows:
            for cell in one_.cells:
                cell.equal.clear()
        share(found, groups)
        assert found.shared is not None
        assert [(s.group, s.across, s.same_source) for s in found.shared] == [
            ("A", False, False),
            ("B", True, True),
        ]
        assert [(e.key, e.group) for e in row(found, "t").cells[1].equal] == [
            ("k", "A"),
            ("l", "B"),
        ]


def test_more_groups_than_letters() -> None:
    """After Z comes AA."""
    keys = [f"k{number:02}" for number in range(28)]
    found = table([column("a", audited(claim("s", *keys), claim("t", *keys)))])
    share(found, [[Value("a", row_, "n", key) for row_ in "st"] for key in keys])
    assert found.shared is not None
    assert [one_.group for one_ in found.shared][-3:] == ["Z", "AA", "AB"]


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["/r/overlays/dev", "/r/overlays/prod"], ["dev", "prod"]),
        (["/r/a/dev", "/r/b/dev", "/r/b/prod"], ["a/dev", "b/dev", "prod"]),
        (["/r", "/r/r"], ["/r", "r/r"]),
        (["/r/one"], ["one"]),
    ],
)
def test_labels(paths: list[str], labels: list[str]) -> None:
    """Each overlay is called by the shortest end of its path that is its own."""
    assert label_columns(paths) == labels


def test_plain_values_of_the_table() -> None:
    """The documented shape, for a script; it can be written as JSON."""
    found = table([column("a", audited(claim("s", "k"), pod(("s", "l"), optional=True)))])
    share(found, [])
    value = json.loads(json.dumps(shown(found)))
    assert value["overlays"] == [{"name": "a", "directory": "overlays/a"}]
    assert value["counts"]["sealed"] == 1
    assert value["shared"] == []
    assert value["secrets"] == [
        {
            "name": "s",
            "differs": {},
            "cells": {
                "a": {
                    "state": "sealed",
                    "places": [
                        {
                            "namespace": "n",
                            "state": "sealed",
                            "names": ["s"],
                            "types": ["Opaque"],
                            "keys": ["k"],
                            "by": ["SecretClaim/s"],
                            "uses": [
                                {
                                    "object": "Pod/app",
                                    "at": "spec.containers[0].env[0].valueFrom.secretKeyRef",
                                    "keys": ["l"],
                                    "optional": True,
                                }
                            ],
                        }
                    ],
                }
            },
        }
    ]
