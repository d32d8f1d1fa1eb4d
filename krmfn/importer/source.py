"""Read other tools' objects: their fields, and a position for each refusal.

Rules enforced here: a field is read or refused, never passed over, but for what the API server,
kubectl and the sealed-secrets controller write by themselves; a message names fields and quotes
nothing that stands in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from krmfn.documents import strict
from krmfn.errors import KrmfnError, SpecError
from krmfn.fieldpath import dotted
from krmfn.objects import sealed_secret
from krmfn.objects.kinds import each

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

Path = tuple[str | int, ...]

# What a server or a client has added to an object that was taken from a cluster.
_SERVERS = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
_CLIENTS = (
    "argocd.argoproj.io/tracking-id",
    "kubecfg.ksonnet.io/last-applied-configuration",
    "kubectl.kubernetes.io/last-applied-configuration",  # of a Secret it holds the values
)


class Source:
    """One object, and its refusals.

    Attributes:
        value: the object.
        errors: in the order in which they were found.
    """

    def __init__(self, document: strict.Document, value: dict[str, Any], root: Path) -> None:
        self.value = value
        self.errors: list[KrmfnError] = []
        self._document = document
        self._root = root

    @property
    def kind(self) -> str:
        """``kind``, or nothing."""
        kind = self.value.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        version = self.value.get("apiVersion")
        return version.rpartition("/")[0] if isinstance(version, str) else ""

    @property
    def name(self) -> str:
        """``metadata.name``, or nothing."""
        name = self.find(("metadata", "name"))
        return name if isinstance(name, str) else ""

    def where(self, path: Path = ()) -> str:
        """Return file, line and column of a field, and its object."""
        at = self._document.position((*self._root, *path))
        place = f"{self._document.name}:{at.line}:{at.column}"
        if not self.kind:
            return place
        return f"{place}: {self.kind}/{self.name}" if self.name else f"{place}: {self.kind}"

    def find(self, path: Path) -> Any:
        """Return the value at ``path``; None if there is none."""
        current: Any = self.value
        for step in path:
            if isinstance(step, str):
                current = current.get(step) if isinstance(current, dict) else None
            else:
                current = current[step] if isinstance(current, list) else None
        return current

    # --- fields; None counts as absent, as it does for the API server

    def text(self, path: Path, default: str = "") -> str:
        """A string."""
        found = self.find(path)
        if found is None:
            return default
        if not isinstance(found, str):
            self.wrong(path, "must be a string")
            return default
        return found

    def flag(self, path: Path) -> bool | None:
        """``true``, ``false`` or nothing."""
        found = self.find(path)
        if found is None or isinstance(found, bool):
            return found
        self.wrong(path, "must be true or false")
        return None

    def mapping(self, path: Path) -> dict[str, Any]:
        """An object; empty when absent."""
        found = self.find(path)
        if found is None:
            return {}
        if not isinstance(found, dict):
            self.wrong(path, "must be an object")
            return {}
        return found

    def texts(self, path: Path) -> dict[str, str]:
        """An object of strings."""
        return {key: self.text((*path, key)) for key in self.mapping(path)}

    def items(self, path: Path) -> range:
        """The numbers of a list's items."""
        found = self.find(path)
        if found is None:
            return range(0)
        if not isinstance(found, list):
            self.wrong(path, "must be a list")
            return range(0)
        return range(len(found))

    def metadata(self, path: Path = ("metadata",)) -> tuple[dict[str, str], dict[str, str]]:
        """Return labels and annotations; refuse other fields of metadata.

        An owner reference to a SealedSecret is dropped: the controller sets it on every Secret.
        """
        known = {"name", "namespace", "labels", "annotations"} | _SERVERS
        owners = self.find((*path, "ownerReferences"))
        if isinstance(owners, list) and all(_is_sealed(one) for one in owners):
            known |= {"ownerReferences"}
        self.only(path, known)
        annotations = self.texts((*path, "annotations"))
        kept = {key: text for key, text in annotations.items() if not key.startswith(_CLIENTS)}
        return self.texts((*path, "labels")), kept

    # --- refusals

    def only(
        self, path: Path, known: Collection[str], reasons: Mapping[str, str] | None = None
    ) -> None:
        """Refuse every field of the object at ``path`` but these.

        Args:
            reasons: what to do instead, for fields that people have.
        """
        for key, value in self.mapping(path).items():
            if key not in known and value is not None:
                self.refuse((*path, key), remedy=(reasons or {}).get(key, ""))

    def refuse(
        self, path: Path, message: str = "krmfn has no equivalent", remedy: str = ""
    ) -> None:
        """Refuse a field that krmfn cannot express."""
        self._add("no-equivalent", path, message, remedy)

    def wrong(self, path: Path, message: str, remedy: str = "") -> None:
        """Refuse a field that is invalid for its own kind."""
        self._add("spec", path, message, remedy)

    def add(self, path: Path, error: KrmfnError) -> None:
        """Add another module's error, with its position."""
        self.errors.append(error.at(where=self.where(path), key=dotted(path)))

    def _add(self, id_: str, path: Path, message: str, remedy: str) -> None:
        error = SpecError(id_, message, where=self.where(path), key=dotted(path), remedy=remedy)
        self.errors.append(error)


def _is_sealed(owner: Any) -> bool:
    kind = (strict.mapping(owner).get(field) for field in ("apiVersion", "kind"))
    return tuple(kind) == (sealed_secret.API_VERSION, sealed_secret.KIND)


def sources(text: str | bytes, name: str) -> Iterator[Source]:
    """Yield every object of a stream; those of a ``List`` one by one.

    Raises:
        SpecError: not YAML, or a document that is no object.
    """
    for document in strict.documents(text, name):
        value = document.value()
        if not isinstance(value, dict):
            at = document.position(())
            raise SpecError(
                "spec", "the document is not an object", where=f"{name}:{at.line}:{at.column}"
            )
        for path, one in each(value):
            yield Source(document, one, path)
