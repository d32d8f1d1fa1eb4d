"""Warnings that a configuration does not want: ``silence: [trailing-newline, unused-secret/legacy]``."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from krmfn.errors import CATALOGUE, CheckError
from krmfn.spec.base import AS_LIST
from krmfn.spec.declare import AfterValidator, StringConstraints, spec_error
from krmfn.warned import WARNINGS


def _known(text: str) -> str:
    id_ = text.partition("/")[0]
    if id_ not in WARNINGS and CATALOGUE.get(id_, (None,))[0] is not CheckError:
        raise spec_error(f"{id_} is not the id of a warning")
    return text


Silence: TypeAlias = Annotated[
    tuple[
        Annotated[
            str,
            StringConstraints(pattern=r"^[a-z0-9-]+(/[a-z0-9]([-.a-z0-9]*[a-z0-9])?)?$"),
            AfterValidator(_known),
        ],
        ...,
    ],
    AS_LIST,
]
"""Ids of warnings, each for every Secret, or `id/secret` for one."""
