"""Holds a real run to its rehearsal: the same calls, items, plans and documents, but for placeholders.

Rules enforced here: a call is compared before anything is read for it; each placeholder stands for one
value, which is known once the call that made it has answered; one difference ends the run.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from krmfn.build.rehearse import suffix_of
from krmfn.documents.strict import mapping
from krmfn.errors import PolicyError
from krmfn.objects.sealed_secret import OPEN_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from krmfn.build.called import Called
    from krmfn.objects.stream import Item
    from krmfn.plan.make import Plan


_SHORTEST = 10  # characters of a hash suffix


class Binding:
    """A rehearsal, with the real values of its placeholders so far."""

    def __init__(self, rehearsed: Sequence[Called]) -> None:
        self._rehearsed = rehearsed
        self._values: dict[str, str] = {}
        self._open: dict[str, dict[str, str]] = {}

    def call(self, number: int, called: Called) -> None:
        """Compare one call, before anything is read for it.

        Raises:
            PolicyError: it is not what was rehearsed.
        """
        if number >= len(self._rehearsed):
            raise _differs("kustomize calls krmfn once more")
        judged = self._rehearsed[number]
        if called.config is not judged.config or not self._same_items(judged.items, called.items):
            raise _differs(f"what {called.config.value['kind']} is given")

    def plan(self, number: int, plan: Plan) -> None:
        """Compare a plan with the rehearsed one.

        Raises:
            PolicyError: it is not what was judged.
        """
        judged = self._rehearsed[number].plan
        if judged is None or _asked(judged) != _asked(plan):
            raise _differs("what is to be read")
        if not self._same(_shown(judged), _shown(plan)):
            raise _differs("what is to be sealed")

    def learn(self, number: int, called: Called) -> None:
        """Record the real values of a call's placeholders."""
        judged = self._rehearsed[number]
        if len(judged.made) != len(called.made) or len(judged.digests) != len(called.digests):
            raise _differs("what was sealed")
        self._values.update(zip(judged.digests, called.digests, strict=True))
        for before, after in zip(judged.made, called.made, strict=True):
            if before.checksum:
                self._values[before.checksum] = after.checksum
            if suffix := suffix_of(before):
                self._values[suffix] = suffix_of(after)
            rehearsed, sealed = _data(before.object), dict(_data(after.object))
            for key, placeholder in rehearsed.items():
                if not key.startswith(OPEN_KEYS):
                    self._values[placeholder] = sealed.pop(key, "")
            for key in rehearsed:
                if key.startswith(OPEN_KEYS):
                    self._open[key] = sealed

    def finish(
        self, calls: Sequence[Called], judged: Sequence[Item], items: Sequence[Item]
    ) -> None:
        """Compare the whole: the number of calls, and the finished streams as sets of documents.

        Raises:
            PolicyError: they differ.
        """
        if len(calls) != len(self._rehearsed):
            raise _differs("kustomize calls krmfn once less")
        left: dict[str, list[Any]] = defaultdict(list)
        for item in items:
            value = item.document.value()
            left[_key(value)].append(value)
        for item in judged:
            value = item.document.value()
            found = left[self._text(_key(value))]
            same = next((one for one in found if self._same(value, one)), None)
            if same is None:
                raise _differs("the finished stream")
            found.remove(same)
        if any(left.values()):
            raise _differs("the finished stream")

    def _same_items(self, judged: Sequence[Item], items: Sequence[Item]) -> bool:
        return len(judged) == len(items) and all(
            a.raw == b.raw or self._same(a.document.value(), b.document.value())
            for a, b in zip(judged, items, strict=True)
        )

    def _same(self, judged: Any, value: Any) -> bool:
        """Whether a rehearsed value became this one. Recursion is limited by YAML's depth."""
        if type(judged) is not type(value):
            return False
        if isinstance(judged, dict):
            if judged.keys() != value.keys():
                return bool(self._put(judged) == value)
            return all(self._same(each, value[key]) for key, each in judged.items())
        if isinstance(judged, list):
            return len(judged) == len(value) and all(map(self._same, judged, value))
        if isinstance(judged, str):
            return bool(judged == value or self._text(judged) == value)
        return bool(judged == value)

    def _put(self, value: Any) -> Any:
        """Replace the placeholders in a rehearsed value with their real values."""
        if isinstance(value, dict):
            put: dict[str, Any] = {}
            for key, each in value.items():
                put |= self._open[key] if key in self._open else {self._text(key): self._put(each)}
            return put
        if isinstance(value, list):
            return [self._put(each) for each in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        if found := self._values.get(text):
            return found
        if len(text) >= _SHORTEST:
            for placeholder, value in self._values.items():
                if placeholder in text:
                    text = text.replace(placeholder, value)
        return text


def _data(sealed: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = sealed["spec"]["encryptedData"]
    return found


def _key(value: Any) -> str:
    metadata = mapping(mapping(value).get("metadata"))
    return json.dumps([mapping(value).get("kind"), metadata.get("namespace"), metadata.get("name")])


def _asked(plan: Plan) -> list[Any]:
    """Return a plan's reads and targets; they contain no placeholder, so the policy can judge them."""
    reads: Any = {"data": {"__all__": {"store", "remote_ref"}}, "data_from": True, "store": True}
    return [
        [t.name, t.namespace, t.scope, t.mode, t.secret.model_dump(mode="json", include=reads)]
        for t in plan.targets
    ]


def _shown(plan: Plan) -> list[Any]:
    """Return all reads and targets of a plan as plain values."""
    return [
        [t.name, t.namespace, t.scope, t.mode, t.path, t.secret.model_dump(mode="json")]
        for t in plan.targets
    ]


def _differs(what: str) -> PolicyError:
    return PolicyError(
        "differs-from-judged",
        f"the build does not do what was judged: {what} depends on a value",
        remedy="let no patch or replacement depend on a ciphertext, a hash suffix or a checksum",
    )
