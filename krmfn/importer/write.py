"""Putting imported values into a store: the vault, or an age file.

Rules enforced here: everything is looked at before anything is written; a place that holds the same
already is left alone, so that a run can be repeated; one that holds anything else ends it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.cli.console import progress
from krmfn.errors import Failure, KrmfnError, ProviderError, raise_all
from krmfn.spec.stores import AgeStore
from krmfn.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from krmfn.plaintext import Plaintext
    from krmfn.spec.model import Model
    from krmfn.stores.store import Json, Location, Store, Surroundings

    Secrets = Mapping[str, Mapping[str, Plaintext]]


def by_path(values: Mapping[tuple[str, str], Plaintext]) -> dict[str, dict[str, Plaintext]]:
    """Values by place as secrets by path, in order."""
    found: dict[str, dict[str, Plaintext]] = {}
    for path, field in sorted(values):
        found.setdefault(path, {})[field] = values[path, field]
    return found


def write_values(
    name: str,
    spec: Model,
    secrets: Secrets,
    around: Surroundings,
    commit: Callable[[Callable[[], None]], None],
) -> list[str]:
    """Write each secret to the store.

    Args:
        name: the store's name.
        spec: what describes it.
        secrets: path to its fields.
        commit: calls what writes, so that nothing interrupts it.

    Returns:
        The paths that were written; the others hold the same already.

    Raises:
        KrmfnError, ErrorList: a place is taken; nothing was written then, unless somebody else
            took it meanwhile.
    """
    if isinstance(spec, AgeStore):
        return _into_age(name, spec, secrets, around, commit)
    store = open_store(name, spec, around)
    try:
        with progress(f"writing to {name}", 2 * len(secrets)) as step:
            free: dict[str, Location] = {}
            errors: list[KrmfnError] = []
            for path, fields in secrets.items():
                try:
                    location = store.locate(path)
                    if _is_free(store, location, fields):
                        free[path] = location
                except Failure as failure:
                    errors += failure.errors
                step()
            raise_all(errors)

            def write() -> None:
                for path, location in free.items():
                    store.create(location, secrets[path])
                    step()

            commit(write)
    finally:
        store.close()
    return list(free)


def _is_free(store: Store, location: Location, fields: Mapping[str, Plaintext]) -> bool:
    """Whether nothing is there; not so when the same is."""
    from krmfn.stores.vault.write import occupied

    try:
        found = store.read(location, None)
    except ProviderError as error:
        if error.id != "not-found":
            raise
        return True
    if found != _json(fields):
        raise occupied(location)
    return False


def _into_age(
    name: str,
    spec: AgeStore,
    secrets: Secrets,
    around: Surroundings,
    commit: Callable[[Callable[[], None]], None],
) -> list[str]:
    """Write all values into one new file."""
    from krmfn.cli.age import alone, rewrite
    from krmfn.files.read import read_repository_file
    from krmfn.spec.store_path import canonical_path
    from krmfn.stores.age.store import open_file, read_identities
    from krmfn.stores.credential import read_credential
    from krmfn.stores.store import Location
    from krmfn.stores.vault.write import occupied

    file = Path(around.base / spec.age.file)
    identities = read_identities(read_credential(spec.age.identity_ref, around, what="identityRef"))
    with alone(file):
        content = read_repository_file(
            spec.age.file, base=around.base, root=around.root, key=f"stores.{name}.age.file"
        )
        opened = open_file(content, identities, name=spec.age.file)
        new: dict[str, dict[str, Json]] = {}
        errors: list[KrmfnError] = []
        for path, fields in secrets.items():
            there = opened.secrets.get(canonical_path(path, key="path"))
            if there is None:
                new[path] = _json(fields)
            elif there != _json(fields):
                errors.append(occupied(Location((), f"{name}:{path}")))
        raise_all(errors)
        commit(lambda: rewrite(file, identities, opened, new) if new else None)
    return list(new)


def _json(fields: Mapping[str, Plaintext]) -> dict[str, Json]:
    return {name: value.reveal().decode() for name, value in fields.items()}
