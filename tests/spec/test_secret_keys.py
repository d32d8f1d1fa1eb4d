"""Keys of a Secret: Kubernetes' rule, wherever a key is written or read."""

from __future__ import annotations

from typing import Any

import pytest

from krmfn.errors import Failure
from krmfn.spec.base import is_secret_key
from krmfn.spec.parse import parse

GOOD = ["a", "A.b", "_", "-", ".a", ".dockerconfigjson", "a..b", "a.", "a" * 253, "-_.0", ".-"]
# IsConfigMapKey of apimachinery refuses each.
BAD = [
    ".", "..", "..data", "...", "..2026", "..a.b", "", "a" * 254, "a b", "a/b", "a:b", "\u00e9", "a\n",
    "\na", "a\x00", ".\n", "a=b", "a,b",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_key(name: str) -> None:
    assert is_secret_key(name)
    for shape in shapes(name):
        parse(claim(shape))


@pytest.mark.parametrize("name", BAD)
def test_no_key(name: str) -> None:
    """In an entry, in a template, and of a field that was extracted (see `test_render`)."""
    assert not is_secret_key(name)
    for shape in shapes(name):
        with pytest.raises(Failure) as failure:
            parse(claim(shape))
        assert {error.id for error in failure.value.errors} == {"spec"}


def shapes(name: str) -> list[dict[str, Any]]:
    return [
        {"data": [{"secretKey": name, "value": "x"}]},
        {"template": {"data": {name: "x"}}, "data": [{"secretKey": "k", "value": "x"}]},
    ]


def claim(shape: dict[str, Any]) -> dict[str, Any]:
    version = "krmfn.dev/v1alpha1"
    return {"apiVersion": version, "kind": "SecretClaim", "metadata": {"name": "a"}, "spec": shape}
