"""Every error that krmfn reports, with its stable id and its exit code.

Rules enforced here: an error carries facts (which secret, key, source; what was expected, found;
what to do), never a value; it prints as one line; its id stands in ``CATALOGUE``, from which the
tables in the documentation are generated. Exit code 1 is kept for findings and differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from krmfn.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

BUG_EXIT_CODE = 70


class Failure(Exception):  # one error or several
    """What a stage raises: its errors, the first of which decides the exit code."""

    errors: tuple[KrmfnError, ...]


class KrmfnError(Failure):
    """One failure: what, where, and what to do about it.

    Attributes:
        id: stable identifier, a key of `CATALOGUE`.
        message: subject first, lower case, no full stop, no value.
        where: the resource it was found in, as ``Kind/name``, or a file position.
        secret: name of the Secret concerned.
        key: data key or field path concerned.
        source: store, mount and path, or file, that the value should have come from.
        expected: what would have been right.
        found: what was there instead (never a secret value).
        remedy: what to do, beginning with a verb.
    """

    exit_code: ClassVar[int] = BUG_EXIT_CODE

    def __init__(
        self,
        id: str,  # noqa: A002  # the word that the documentation uses
        message: str,
        *,
        where: str = "",
        secret: str = "",
        key: str = "",
        source: str = "",
        expected: str = "",
        found: str = "",
        remedy: str = "",
    ) -> None:
        if id not in CATALOGUE or CATALOGUE[id][0] is not type(self):
            raise AssertionError(f"{type(self).__name__} has no catalogue entry {id}")
        super().__init__(message)
        self.id = id
        self.message = message
        self.where = where
        self.secret = secret
        self.key = key
        self.source = source
        self.expected = expected
        self.found = found
        self.remedy = remedy
        self.errors = (self,)

    def at(
        self, *, where: str = "", secret: str = "", key: str = "", source: str = ""
    ) -> KrmfnError:
        """The same error with the places filled in that its raiser could not know."""
        self.where = self.where or where
        self.secret = self.secret or secret
        self.key = self.key or key
        self.source = self.source or source
        return self

    def line(self) -> str:
        """One line: place, message, expected and found, remedy, id."""
        places = [p for p in (self.where, self.secret, self.key, self.source) if p]
        text = ": ".join([*places, self.message])
        if self.expected:
            text += f", expected {self.expected}"
        if self.found:
            text += f", found {self.found}"
        if self.remedy:
            text += f"; {self.remedy}"
        line = " ".join(f"{text} {ending(self.id)}".split())
        return printable(line)

    __str__ = line


class SpecError(KrmfnError):
    """The command line or the configuration is wrong, or does not fit the data."""

    exit_code = 2


class ProviderError(KrmfnError):
    """A store could not return a value."""

    exit_code = 3


class SealingError(KrmfnError):
    """A certificate, key or value cannot be used to seal, or an item cannot be opened."""

    exit_code = 4


class OutputError(KrmfnError):
    """The result could not be written, or is not valid."""

    exit_code = 5


class PolicyError(KrmfnError):
    """The platform's policy denies it; no request was made."""

    exit_code = 6


class DeadlineError(KrmfnError):
    """The time limit was reached."""

    exit_code = 124


class CheckError(KrmfnError):
    """A check found a problem in the output."""

    exit_code = 1


# The page in docs/errors/ for each class; ids of no class are warnings.
PAGES: dict[type[KrmfnError], str] = {
    SpecError: "configuration",
    ProviderError: "stores",
    SealingError: "sealing",
    OutputError: "output",
    PolicyError: "policy",
    DeadlineError: "output",
    CheckError: "findings",
}


def page_of(id_: str) -> str:
    """Return the name of the page in docs/errors/ that explains an id."""
    return PAGES[CATALOGUE[id_][0]] if id_ in CATALOGUE else "warnings"


class Site:
    """The site with the pages of the ids.

    Attributes:
        address: empty if there is none; the command and the function set it once.
    """

    address = ""


SITE = Site()


def ending(id_: str) -> str:
    """Return the end of a message: the id, and the address of its page if there is a site."""
    site = SITE.address.rstrip("/")
    return f"[{id_}] {site}/errors/{page_of(id_)}/#{id_}" if site else f"[{id_}]"


class ErrorList(Failure):
    """Several errors of one stage, reported together."""

    def __init__(self, errors: Sequence[KrmfnError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = tuple(errors)


def raise_all(errors: Sequence[KrmfnError]) -> None:
    """Raise nothing, the one error, or all of them together."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ErrorList(errors)


# id -> (class, what it means). The class gives the exit code.
CATALOGUE: dict[str, tuple[type[KrmfnError], str]] = {
    # 2: usage and spec
    "usage": (SpecError, "the command line is not understood"),
    "input": (SpecError, "standard input is empty or has the wrong content"),
    "yaml": (SpecError, "a file is not YAML as krmfn reads it: duplicate keys, alias bombs, tabs"),
    "spec": (SpecError, "a field is missing, unknown or has the wrong form"),
    "object": (SpecError, "a resource's kind, name or namespace is not text"),
    "namespace-missing": (SpecError, "no namespace is known for a scope that needs one"),
    "namespace-contradiction": (SpecError, "two sources name different namespaces"),
    "environment-unclear": (SpecError, "no environment of .krmfn.yaml matches, or several do"),
    "name-changes": (SpecError, "the kustomization renames what a generator sealed by name"),
    "wrong-list": (SpecError, "a krmfn config is listed where kustomize cannot use it"),
    "path": (SpecError, "a path leaves the repository or is not canonical"),
    "file": (SpecError, "a file named in the configuration cannot be read"),
    "scope": (SpecError, "a claim asks for a wider scope than the overlay allows"),
    "annotation": (SpecError, "an annotation would break the object, or only krmfn may set it"),
    "template": (SpecError, "a template is outside the closed template language"),
    "secret-type": (SpecError, "the data does not fit the Secret's type"),
    "derivation-key-missing": (SpecError, "deterministic sealing has no derivation key"),
    "derivation-key-read": (SpecError, "a secret would contain the derivation key"),
    "environment": (SpecError, "memory, file descriptors or the working directory are missing"),
    "kustomize": (SpecError, "kustomize is missing, or cannot build the directory"),
    "build-limit": (SpecError, "a build needs more memory, time or output than krmfn allows"),
    "foreign": (SpecError, "a build would run a foreign function, fetch a base or inflate a chart"),
    "in-place": (SpecError, "a value cannot be changed in place in its file"),
    "ciphertext": (SpecError, "a value is already encrypted, or is a placeholder of another tool"),
    "no-equivalent": (SpecError, "an imported object has a feature that krmfn does not have"),
    # 3: provider
    "extra-missing": (ProviderError, "a store needs a package that is not installed"),
    "credential-missing": (ProviderError, "a credential's variable or file is absent or empty"),
    "login-failed": (ProviderError, "the store refused the credential"),
    "permission-denied": (ProviderError, "the store denied a read (403)"),
    "not-found": (ProviderError, "nothing is stored at the path"),
    "property-missing": (ProviderError, "the secret at the path has no such property"),
    "version-deleted": (ProviderError, "the version was deleted and can be undeleted"),
    "version-destroyed": (ProviderError, "the version was destroyed for good"),
    "version-missing": (ProviderError, "the secret has no such version"),
    "version-unsupported": (ProviderError, "a reference has a version, and the store has none"),
    "mount-not-kv": (ProviderError, "the mount is not a KV secrets engine"),
    "mount-unknown": (
        ProviderError,
        "there is no mount at the path, or the token may not look it up",
    ),
    "leased": (ProviderError, "the answer carries a lease: a dynamic secret cannot be sealed"),
    "value-null": (ProviderError, "the value is null"),
    "value-shape": (ProviderError, "the value is an object or a list"),
    "vault-sealed": (ProviderError, "the vault is sealed or not initialised"),
    "tls": (ProviderError, "the server's certificate is not trusted"),
    "redirect": (ProviderError, "the server answered with a redirect, which is never followed"),
    "unavailable": (ProviderError, "the server cannot be reached or keeps failing"),
    "protocol": (ProviderError, "the server's answer is not what its API promises"),
    "transit": (ProviderError, "the transit engine's answer cannot be a derivation"),
    "age-identity": (ProviderError, "the identity does not open the encrypted file"),
    "occupied": (ProviderError, "a value would replace another one, or krmfn cannot find out"),
    "age-document": (ProviderError, "the decrypted file is not a krmfn store"),
    # 4: sealing
    "certificate": (SealingError, "the text contains no usable certificate"),
    "certificate-expired": (SealingError, "the certificate has expired"),
    "certificate-not-yet-valid": (SealingError, "the certificate is not valid yet"),
    "certificate-key": (SealingError, "the certificate's key is not RSA, too small or unsafe"),
    "certificate-pin": (SealingError, "the certificate is not the pinned one"),
    "derivation-key": (SealingError, "the derivation key is malformed, weak or not the pinned one"),
    "value": (SealingError, "a value cannot be rendered or is too large"),
    "empty": (SealingError, "a secret would have no data"),
    "unseal": (SealingError, "none of the keys opens an item"),
    "private-key": (SealingError, "a file contains no RSA private key"),
    # 5: output
    "output": (OutputError, "the result could not be written"),
    "too-large": (OutputError, "an object is larger than the API server accepts"),
    # 6: policy
    "credential-origin": (PolicyError, "a credential would go to a server it was not meant for"),
    "store-bound": (PolicyError, "the store is bound to other namespaces or certificates"),
    "policy-file": (
        PolicyError,
        "a policy is required, and KRMFN_CONFIG is missing or not trustworthy",
    ),
    "policy-denied": (PolicyError, "no rule of the platform's policy allows it"),
    "policy-override": (
        PolicyError,
        "a configuration defines something that only the platform may define",
    ),
    "policy-limit": (PolicyError, "a build asks for more than the platform's limits"),
    "cannot-rehearse": (
        PolicyError,
        "the result of a build depends on values, so it cannot be judged beforehand",
    ),
    "differs-from-judged": (PolicyError, "a build differs from its rehearsal"),
    "sandbox": (PolicyError, "kustomize cannot be confined here, and the platform requires it"),
    # 124: deadline
    "deadline": (DeadlineError, "the time limit was reached before everything was read"),
    # 1: findings
    "sealed-for": (CheckError, "a SealedSecret is sealed for another name, namespace or scope"),
    "config-left": (
        CheckError,
        "a krmfn configuration is listed as a resource, and was not run",
    ),
    "claim-left": (CheckError, "a claim was not replaced by a SealedSecret"),
    "scope-annotation": (
        CheckError,
        "annotations contradict the scope, on the object or its template",
    ),
    "plain-secret": (CheckError, "a Secret is unencrypted in the output"),
    "proposal": (CheckError, "what `krmfn init` would write leaves a Secret missing"),
    "certificate-differs": (CheckError, "a certificate is not the one that was expected"),
    # 1: the reference audit
    "wrong-secret": (CheckError, "kustomize would change a reference to name another Secret"),
    "unmet-reference": (CheckError, "a field refers to a Secret that nothing creates"),
    "unmet-key": (CheckError, "a field needs a key that the Secret will not have"),
    "wrong-namespace": (
        CheckError,
        "the Secret is created in another namespace than the one it is used in",
    ),
    "moved-producer": (CheckError, "a prefix or suffix renamed the object that creates the Secret"),
    "reference-grant": (
        CheckError,
        "a Gateway's Secret in another namespace has no ReferenceGrant",
    ),
    "uncertain-producer": (
        CheckError,
        "a Secret is created only if its operator is configured for it",
    ),
    "operator-owned": (CheckError, "a Secret would be sealed over one that an operator creates"),
    "ambiguous-producer": (CheckError, "two objects create the same Secret"),
    "reserved-name": (CheckError, "a Secret has a name that belongs to another program"),
    "unused-secret": (CheckError, "nothing in the build refers to a sealed Secret"),
    "wrong-type": (CheckError, "a Secret has the wrong type for its use"),
    "type-keys": (CheckError, "a Secret lacks keys that its type requires"),
    "missing-label": (CheckError, "a Secret lacks a label that its consumer looks for"),
    "owns-input": (CheckError, "a consumer claims a Secret that the SealedSecret owns"),
    "kubesealed-elsewhere": (
        CheckError,
        "a SealedSecret was sealed for another name or namespace",
    ),
    "unused-assumption": (CheckError, "an assumption is not needed"),
    "unknown-kind": (CheckError, "the catalogue does not know a kind that may refer to Secrets"),
}
