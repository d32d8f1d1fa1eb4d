"""Putting imported values into a store: the vault, or an age file.

Rules enforced here: everything is looked at before anything is written; a place that holds the same
already is left alone, so that a run can be repeated; one that holds anything else ends it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.errors import Failure, KrmfnError, ProviderError, raise_all
from krmfn.spec.stores import AgeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from krmfn.plaintext import Plaintext
    from krmfn.stores.access import Access
    from krmfn.stores.content import Json, Location
    from krmfn.stores.opened import OpenedStores
    from krmfn.stores.store import Store

    Secrets = Mapping[str, Mapping[str, Plaintext]]


def by_path(values: Mapping[tuple[str, str], Plaintext]) -> dict[str, dict[str, Plaintext]]:
    """Values by place as secrets by path, in order."""
    found: dict[str, dict[str, Plaintext]] = {}
    for path, field in sorted(values):
        found.setdefault(path, {})[field] = values[path, field]
    return found


def write_values(
    name: str,
    stores: OpenedStores,
    secrets: Secrets,
    *,
    commit: Callable[[Callable[[], None]], None],
    step: Callable[[], None],
    note: Callable[[str], None],
) -> list[str]:
    """Write each secret to the store.

    Args:
        name: the store's name.
        secrets: path to its fields.
        commit: calls what writes, so that nothing interrupts it.
        step: is called after each secret that was looked at, and after each that was written.
        note: prints a line that says what was done.

    Returns:
        The paths that were written; the others hold the same already.

    Raises:
        KrmfnError, ErrorList: a place is taken; nothing was written then, unless somebody else
            took it meanwhile.
    """
    spec = stores.spec(name)
    if isinstance(spec, AgeStore):

        def write_file(write: Callable[[], str]) -> None:
            commit(lambda: note(write()))

        return _into_age(name, spec, secrets, stores.access, write_file)
    store = stores.get(name)
    free = _free(store, secrets, step)

    def write() -> None:
        for path, location in free.items():
            store.create(location, secrets[path])
            step()

    commit(write)
    return list(free)


def _free(store: Store, secrets: Secrets, step: Callable[[], None]) -> dict[str, Location]:
    """Return the paths where nothing is, with their locations.

    Raises:
        KrmfnError, ErrorList: something else is at one of the paths.
    """
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
    return free


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
    access: Access,
    commit: Callable[[Callable[[], str]], None],
) -> list[str]:
    """Write all values into one new file."""
    from krmfn.spec.store_path import canonical_path
    from krmfn.stores.age.file import alone, open_file, read_identities, rewrite
    from krmfn.stores.content import Location
    from krmfn.stores.credential import read_credential
    from krmfn.stores.vault.write import occupied

    file = Path(access.place.base / spec.age.file)
    identities = read_identities(read_credential(spec.age.identity_ref, access, what="identityRef"))
    with alone(file):
        content = access.place.read(spec.age.file, key=f"stores.{name}.age.file")
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
        if new:
            commit(lambda: rewrite(file, identities, opened, new))
    return list(new)


def _json(fields: Mapping[str, Plaintext]) -> dict[str, Json]:
    return {name: value.reveal().decode() for name, value in fields.items()}
