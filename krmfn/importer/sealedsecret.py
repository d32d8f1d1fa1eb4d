"""SealedSecrets, as kubeseal writes them. Pure.

Rules enforced here: the ciphertext is not opened, so that an entry says where each value is to be,
and nothing of it; what the controller would do with plaintext in a template is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.importer.entry import Entry, Imported, place_of, remote, shape, template
from krmfn.objects.sealed_secret import CERTIFICATE, SCOPE_ANNOTATIONS, SEALED_FOR, scope_of
from krmfn.plan.annotations import SEALED_SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from krmfn.importer.entry import Options
    from krmfn.importer.source import Source

GROUP, KIND = "bitnami.com", "SealedSecret"
_SCOPES = frozenset(SCOPE_ANNOTATIONS.values())
_SPEC_REASONS = {
    "data": "the deprecated form of one sealed whole; unseal it and import the Secret",
}
_TEMPLATE_REASONS = {
    "data": "it is unencrypted; put it into the entry's template.data, or into the vault",
    "stringData": "the controller ignores it; put it into the vault",
}


def read(found: Iterable[Source], options: Options) -> Imported:
    """An entry for each SealedSecret; other objects are left alone."""
    imported = Imported()
    for source in found:
        if (source.group, source.kind) == (GROUP, KIND):
            imported.entries.append(_entry(source, options))
    return imported


def _entry(source: Source, options: Options) -> Entry:
    source.only((), {"apiVersion", "kind", "metadata", "spec", "status"})
    source.only(("spec",), {"encryptedData", "template"}, _SPEC_REASONS)
    place = ("spec", "template")
    source.only(place, {"metadata", "type", "immutable"}, _TEMPLATE_REASONS)
    own = _checked(source, ("metadata", "annotations"), source.metadata())
    secrets = _checked(
        source, (*place, "metadata", "annotations"), source.metadata((*place, "metadata"))
    )
    name = source.name
    namespace = source.text(("metadata", "namespace"), options.namespace)
    for field, expected in (("name", name), ("namespace", namespace)):
        if source.text((*place, "metadata", field), expected) != expected:
            source.refuse(
                (*place, "metadata", field),
                f"the Secret's {field} is not the SealedSecret's",
                "a SealedSecret opens under one name and namespace; correct it",
            )
    path = place_of(source, name, namespace, options)
    return Entry(
        name,
        namespace,
        shape(
            store=options.store,
            scope=scope_of(source.mapping(("metadata", "annotations"))),
            data=[
                remote(path, key, secret_key=key)
                for key in source.mapping(("spec", "encryptedData"))
            ],
            metadata=own,
            template=template(
                type=source.text((*place, "type")),
                immutable=source.flag((*place, "immutable")),
                metadata=secrets,
            ),
        ),
        source.where(),
    )


def _checked(
    source: Source, path: tuple[str, ...], metadata: tuple[dict[str, str], dict[str, str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Remove annotations that krmfn writes itself; refuse an annotation that needs another one."""
    labels, annotations = metadata
    written = _SCOPES | {SEALED_FOR, CERTIFICATE}
    kept = {key: text for key, text in annotations.items() if key not in written}
    owned = f"{SEALED_SECRETS}managed"
    ownerless = f"{SEALED_SECRETS}skip-set-owner-references"
    if path[0] == "metadata":
        for key in sorted(key for key in kept if key.startswith(SEALED_SECRETS)):
            source.refuse(
                (*path, key),
                "the controller reads this of the Secret, and not here",
                "move it to spec.template.metadata.annotations",
            )
    elif kept.get(ownerless) == "true" and kept.get(owned) != "true":
        source.refuse(
            (*path, ownerless),
            "without managed beside it the controller fails after the first time",
            f'add {owned}: "true"',
        )
    return labels, kept
