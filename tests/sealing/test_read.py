"""The stage that reads: each thing once, all at once, inside one deadline."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from krmfn.crypto import derive
from krmfn.deadline import Deadline
from krmfn.errors import (
    DeadlineError,
    ErrorList,
    KrmfnError,
    PolicyError,
    ProviderError,
    SealingError,
    SpecError,
)
from krmfn.kustomize.overlay import Kustomization
from krmfn.parallel import at_once
from krmfn.plan.make import Plan, make_plan
from krmfn.sealing.derivation import derivation
from krmfn.sealing.read import locate, read_all
from krmfn.spec.parse import parse
from krmfn.stores import PROVIDERS, open_store
from krmfn.stores.access import Access
from krmfn.stores.opened import OpenedStores
from krmfn.stores.pool import StorePool
from tests.support.function import DERIVATION_KEY, config, secret
from tests.support.memory_store import MemorySpec, MemoryStore, registered

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS: dict[str, Any] = {
    "a": {"x": "1"},
    "a@2": {"x": "2"},
    "b": {"x": "3"},
    "krmfn/derivation": {"key": DERIVATION_KEY},
}
TRANSIT = {"transit": {"store": "main", "key": "k", "version": 1}}


@pytest.fixture(autouse=True)
def opened() -> Iterator[list[MemoryStore]]:
    with registered() as stores:
        yield stores


def entry(key: str, path: str, version: int | None = None, **more: Any) -> dict[str, Any]:
    ref = {"key": path, "property": "x"} | ({"version": version} if version else {})
    return {"secretKey": key, "remoteRef": ref, **more}


def planned(
    *secrets: dict[str, Any], held: dict[str, Any] | None = None, **sealing: Any
) -> tuple[Plan, OpenedStores]:
    """A plan whose stores are in memory."""
    value: Any = parse(config(*secrets, **sealing))
    plan = make_plan(value, namespace="production", overlay=Kustomization())
    spec = MemorySpec(memory={"secrets": SECRETS, "transit": "t" * 64, **(held or {})})
    return plan, OpenedStores(
        dict.fromkeys(("main", "other"), spec), Access({}, Deadline(30)), StorePool()
    )


def test_results_keep_their_order() -> None:
    """However long each takes, and however many there are."""
    tasks = [lambda n=n: time.sleep((40 - n) / 5000) or n for n in range(40)]
    assert at_once(tasks, Deadline(30)) == list(range(40))
    assert at_once([], Deadline(30)) == []


def test_sixteen_at_a_time() -> None:
    """Sixteen tasks run together, a seventeenth waits."""
    together = threading.Barrier(16, timeout=20)
    running: list[int] = []
    peak: list[int] = []
    lock = threading.Lock()

    def task() -> None:
        with lock:
            running.append(1)
            peak.append(len(running))
        together.wait()
        with lock:
            running.pop()

    at_once([task] * 32, Deadline(30))
    assert max(peak) == 16


def test_nobody_is_waited_for_past_the_deadline() -> None:
    """A task that hangs does not hold the rest."""
    release = threading.Event()
    with pytest.raises(DeadlineError):
        at_once([release.wait, lambda: True], Deadline(0.2))
    release.set()


def test_failures_together_and_each_once() -> None:
    """In the order of the tasks; what is said twice is said once; lists are opened."""

    def fail(*messages: str) -> None:
        errors = [ProviderError("not-found", m) for m in messages]
        raise errors[0] if len(errors) == 1 else ErrorList(errors)

    with pytest.raises(ErrorList) as caught:
        at_once(
            [lambda: fail("b"), lambda: None, lambda: fail("a", "b"), lambda: fail("c")],
            Deadline(30),
        )
    assert [e.message for e in caught.value.errors] == ["b", "a", "c"]
    with pytest.raises(ProviderError):
        at_once([lambda: fail("b"), lambda: fail("b")], Deadline(30))


def test_a_bug_in_a_task_is_a_bug() -> None:
    """It is not taken for one of our errors, and comes out as itself."""
    with pytest.raises(ZeroDivisionError):
        at_once([lambda: 1 / 0, lambda: 1.0], Deadline(30))


def test_each_thing_is_read_once(opened: list[MemoryStore]) -> None:
    """Once for each (store, path, version), whoever asks and however often."""
    plan, stores = planned(
        secret(entry("k", "a"), entry("l", "a"), entry("m", "a", 2), entry("n", "b"), name="s"),
        secret(
            entry("k", "a"),
            name="t",
            dataFrom=[{"extract": {"key": "a"}}, {"extract": {"key": "b"}}],
        ),
    )
    locations = locate(plan, stores, "f")
    found = read_all(plan, stores, locations)
    assert sorted(opened[0].reads, key=str) == [("a", 2), ("a", None), ("b", None)]
    assert {(r.key, r.version): v["x"] for r, v in found.items()} == {
        ("a", None): "1",
        ("a", 2): "2",
        ("b", None): "3",
    }
    stores.close()
    assert [s.closed for s in opened] == [0]  # the pool's owner closes them


def test_an_error_says_for_whom() -> None:
    """Secret, key and source of the first use."""
    plan, stores = planned(
        secret(entry("k", "a"), entry("l", "gone")),
        secret(name="t", dataFrom=[{"extract": {"key": "lost"}}]),
        secret(entry("k", "gone"), name="u"),
    )
    with pytest.raises(ErrorList) as caught:
        read_all(plan, stores, locate(plan, stores, "f"))
    assert [e.line() for e in caught.value.errors] == [
        "db: l: main:gone: nothing is there; write it [not-found]",
        "t: dataFrom[0]: main:lost: nothing is there; write it [not-found]",
    ]


def test_a_path_that_is_none() -> None:
    """Locating fails with the same facts."""
    plan, stores = planned(secret(entry("k", "a//b")))
    with pytest.raises(SpecError) as caught:
        locate(plan, stores, "f")
    assert caught.value.line().startswith(
        "db: key: main: the path is empty or has an empty segment"
    )


def test_something_beside(opened: list[MemoryStore]) -> None:
    """What needs no values runs with the reads, and its failure is theirs."""
    plan, stores = planned(secret(entry("k", "a")))
    locations = locate(plan, stores, "f")
    done: list[bool] = []
    read_all(plan, stores, locations, beside=lambda: done.append(True))
    assert done == [True]

    def fail() -> None:
        raise SealingError("derivation-key", "x")

    with pytest.raises(SealingError):
        read_all(plan, stores, locations, beside=fail)


@pytest.mark.parametrize("mode", ["deterministic", "random"])
def test_the_key_is_no_value(mode: str, opened: list[MemoryStore]) -> None:
    """A reference to the derivation key's path is refused in any mode, before it is read."""
    plan, stores = planned(secret(entry("k", "krmfn/derivation")), mode=mode)
    with pytest.raises(SpecError) as caught:
        locate(plan, stores, "f")
    assert caught.value.line() == (
        "db: main:krmfn/derivation: a reference points at the derivation key's own path; keep "
        "values and the "
        "derivation key apart [derivation-key-read]"
    )
    assert opened[0].reads == []


def test_a_bound_store() -> None:
    """It is asked before anything is located; cluster-wide is no namespace."""
    plan, stores = planned(secret(entry("k", "a")), held={"namespaces": ["production"]})
    locate(plan, stores, "f")
    plan, stores = planned(
        secret(entry("k", "a"), scope="cluster-wide"), held={"namespaces": ["production"]}
    )
    with pytest.raises(PolicyError) as caught:
        locate(plan, stores, "f")
    assert caught.value.line().startswith("db: main: the store is bound")


def test_a_store_that_nobody_defined() -> None:
    """A name without a store."""
    with pytest.raises(SpecError, match="the store x is not defined under stores"):
        OpenedStores({}, Access({}, Deadline(30)), StorePool()).get("x")


def digests(count: int) -> list[bytes]:
    return [bytes([n]) * 64 for n in range(count)]


def test_the_local_key(opened: list[MemoryStore]) -> None:
    """Read when first asked, once, and then used locally."""
    plan, stores = planned(secret(entry("k", "a")))
    prf = derivation(plan.sealing.derivation_key, stores)  # type: ignore[arg-type]
    assert opened == []
    prf.ask(digests(3))
    key = bytes.fromhex(DERIVATION_KEY)
    assert prf(digests(1)[0]) == derive.first_step(key, digests(1)[0])
    assert opened[0].reads == [("krmfn/derivation", None)]


def test_the_transit_key(opened: list[MemoryStore]) -> None:
    """Asked in batches, never again about what is known; with the first, the key's id."""
    plan, stores = planned(secret(entry("k", "a")), derivationKey=TRANSIT)
    prf = derivation(plan.sealing.derivation_key, stores)  # type: ignore[arg-type]
    prf.ask([])
    prf.ask([*digests(3), *digests(2)])
    prf.ask(digests(4))
    assert opened[0].asked == [1, 3, 1]
    assert prf(digests(1)[0]) == derive.first_step(b"t" * 64, digests(1)[0])


def test_a_pin() -> None:
    """The right key passes, another is refused with both ids."""
    right = derive.key_id(derive.first_step(b"t" * 64, derive.key_id_digest()))
    for pin in (right, "0" * 16):
        plan, stores = planned(secret(entry("k", "a")), derivationKey={**TRANSIT, "id": pin})
        prf = derivation(plan.sealing.derivation_key, stores)  # type: ignore[arg-type]
        if pin == right:
            prf.ask(digests(1))
            continue
        with pytest.raises(SealingError) as caught:
            prf.ask([])
        assert caught.value.line() == (
            f"the derivation key is not the pinned one, expected {pin}, found {right}; find the "
            "right key, or "
            "change derivationKey.id on purpose [derivation-key]"
        )


@pytest.mark.parametrize(
    ("stored", "line"),
    [
        ({"key": "c4nary"}, "main:krmfn/derivation: the derivation key is not 32 or 64 bytes"),
        ({"other": "c4nary"}, "main:krmfn/derivation: there is no property key"),
        ({"key": {"a": "c4nary"}}, "main:krmfn/derivation: the value is an object"),
        (None, "main:krmfn/derivation: nothing is there"),
    ],
)
def test_a_key_that_is_none(stored: Any, line: str) -> None:
    """The field is named, with the place, and no value."""
    held = {"secrets": {"krmfn/derivation": stored} if stored else {}}
    plan, stores = planned(secret(entry("k", "a")), held=held)
    with pytest.raises(KrmfnError) as caught:
        derivation(plan.sealing.derivation_key, stores).ask(digests(1))  # type: ignore[arg-type]
    assert caught.value.line().startswith(f"spec.sealing.derivationKey: {line}")
    assert "c4nary" not in caught.value.line()


def test_a_store_whose_package_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says how to install it; a module of krmfn's own that is missing is a bug."""
    access = Access({}, Deadline(30))
    monkeypatch.setitem(PROVIDERS, "memory", ("no_such_package", "X", "vault"))
    with pytest.raises(ProviderError) as caught:
        open_store("main", MemorySpec(memory={}), access)
    assert caught.value.line() == (
        "main: the memory store needs no_such_package; pip install 'krmfn[vault]' [extra-missing]"
    )
    monkeypatch.setitem(PROVIDERS, "memory", ("krmfn.no_such_module", "X", "vault"))
    with pytest.raises(ModuleNotFoundError):
        open_store("main", MemorySpec(memory={}), access)
