"""The main line: from a plan to SealedSecrets, each step once and in its order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.kustomize.overlay import Kustomization
from krmfn.plan.make import make_plan
from krmfn.sealing import pipeline
from krmfn.sealing.job import Job
from krmfn.sealing.pipeline import Sealer
from krmfn.spec.parse import parse
from krmfn.stores.opened import OpenedStores
from tests.support.function import DERIVATION_KEY, KEYS, config, secret
from tests.support.jobs import job
from tests.support.memory_store import MemorySpec, MemoryStore, registered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from krmfn.plan.make import Plan

PEM = (KEYS / "current.crt").read_text()
READ = [
    "complete",  # the policy's definitions
    "load_certificate",
    "permit",  # nothing was sent before
    "locate",
    "open",  # the store, when it is first asked
    "key_of",
]
STEPS = [
    *READ,
    "read_all",
    "ask_ahead",  # beside the reads
    "refuse_key",
    "render_all",
    "count",  # the policy's limits of values
    "with_hashes",
    "ask",  # the last question to a store
    "closed",
    "seal",
    "warn",
]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The steps in the order in which they begin, each told once."""
    found: list[str] = []

    def watch(owner: Any, name: str, word: str = "") -> None:
        real = getattr(owner, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            if (word or name) not in found:
                found.append(word or name)
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, watched)

    for name in ("load_certificate", "locate", "key_of", "read_all", "refuse_key", "render_all"):
        watch(pipeline, name)
    for name in ("with_hashes", "seal", "warn"):
        watch(pipeline, name)
    for name in ("complete", "permit", "count"):
        watch(Job, name)
    for name in ("ask_ahead", "ask"):
        watch(Sealer, name)
    watch(MemoryStore, "__init__", "open")
    watch(OpenedStores, "close", "closed")
    with registered():
        yield found


def plan() -> Plan:
    """One Secret with one value, of a store in memory."""
    entry = {"secretKey": "k", "remoteRef": {"key": "a", "property": "x"}}
    value: Any = parse(config(secret(entry), certificate={"pem": PEM}))
    held = {"secrets": {"a": {"x": "1"}, "krmfn/derivation": {"key": DERIVATION_KEY}}}
    made = make_plan(value, namespace="production", overlay=Kustomization())
    return type(made)(made.sealing, {"main": MemorySpec(memory=held)}, made.targets)  # type: ignore[dict-item]


def test_sealing(steps: list[str]) -> None:
    """The policy first, the stores closed before anything is sealed, sealing last."""
    (one,) = pipeline.generate(plan(), job(), now=datetime.now(UTC), entropy=bytes)
    assert one.object["kind"] == "SealedSecret"
    assert steps == STEPS


def test_reading_alone(steps: list[str]) -> None:
    """The same way, without what only sealing needs."""
    (one,) = pipeline.values(plan(), job(), now=datetime.now(UTC))
    assert one.items["k"].content.reveal() == b"1"
    assert steps == [*READ, "read_all", "refuse_key", "render_all", "count", "closed"]


def test_judging_alone(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks no store, counts nothing."""
    monkeypatch.setattr(Job, "allow", lambda *_: steps.append("allow"))
    governed = job()
    object.__setattr__(governed, "policy", object())
    monkeypatch.setattr(Job, "complete", lambda _, plan: plan)
    pipeline.refuse_denied(plan(), governed, now=datetime.now(UTC))
    assert steps == ["load_certificate", "allow", "closed"]
