"""Parse a document into a model, or report every mistake with its position.

A mistake reads ``SealedSecretGenerator/logto: spec.secrets[2].data[0].remoteRef.key: required``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from krmfn.errors import SpecError
from krmfn.names import API_VERSION
from krmfn.objects.kinds import title_of
from krmfn.spec.declare import Mismatch
from krmfn.spec.generator import SealedSecretGenerator
from krmfn.spec.model import Model, decode
from krmfn.spec.transformer import SealedSecretTransformer, SecretClaim
from krmfn.spec.validator import SealedSecretValidator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from krmfn.documents.strict import Position

KINDS: dict[str, type[Model]] = {
    "SealedSecretGenerator": SealedSecretGenerator,
    "SealedSecretTransformer": SealedSecretTransformer,
    "SealedSecretValidator": SealedSecretValidator,
    "SecretClaim": SecretClaim,
}

M = TypeVar("M", bound=Model)


def parse(
    value: Any,
    *,
    where: str = "",
    position: Callable[[Sequence[str | int]], Position] | None = None,
    kinds: dict[str, type[Model]] = KINDS,
) -> Model:
    """The model of a configuration object, chosen by its kind.

    Args:
        value: the document as plain values.
        kinds: what it may be: by default what kustomize may hold.
        where: the file's name, when it is known.
        position: finds line and column of a path in that file.

    Raises:
        SpecError: not an object of ours, or one mistake in it.
        ErrorList: several mistakes, in the order of the document.
    """
    if not isinstance(value, dict):
        raise SpecError("spec", "the configuration is not an object", where=where)
    kind, version = value.get("kind"), value.get("apiVersion")
    if not isinstance(kind, str) or kind not in kinds or version != API_VERSION:
        from krmfn.spec.mistakes import near_word

        near = near_word(str(kind), kinds)
        raise SpecError(
            "spec",
            "not a krmfn resource",
            where=where,
            expected=f"{API_VERSION} and {' or '.join(kinds)}",
            remedy=f"did you mean {near[0]}?" if near and near[0] != kind else "",
        )
    return check(kinds[kind], value, name=name_of(value), where=where, position=position)


def check(
    model: type[M],
    value: Any,
    *,
    name: str,
    where: str = "",
    position: Callable[[Sequence[str | int]], Position] | None = None,
) -> M:
    """``value`` as ``model``; mistakes as in `parse`."""
    try:
        return decode(model, value)
    except Mismatch:
        from krmfn.spec.mistakes import explained  # lazy: with pydantic, 60 ms

        return explained(model, value, name=name, where=where, position=position)


def name_of(value: Any) -> str:
    """Return ``Kind/name`` of an object, as far as it has them."""
    return title_of(value)
