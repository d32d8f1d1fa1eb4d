"""The age store: an encrypted file that opens once, for whom it is bound to."""

from __future__ import annotations

import itertools
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from krmfn.deadline import Deadline
from krmfn.errors import KrmfnError, PolicyError, ProviderError, SpecError
from krmfn.files.read import Place
from krmfn.plaintext import Plaintext
from krmfn.spec.parse import check
from krmfn.spec.stores import Age, AgeDocument
from krmfn.stores.access import Access
from krmfn.stores.age.file import AgeFile, open_file, read_identities, render_file
from krmfn.stores.age.store import AgeBackend
from krmfn.stores.content import Number

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-4711"
ID = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
SPKI = "a" * 64
DOCUMENT = f"""\
storeId: st.ore-1
boundTo: {{namespaces: [production], recipients: ["{SPKI}"]}}
encryptedTo: [{ID.to_public()}]
secrets:
  krmfn/derivation: {{key: {CANARY}}}
  logto/backup: {{id: abc, big: 12345678901234567890123, float: 1.50,
    yes: on, flag: true, no: null}}
"""


def sealed(text: str, identity: Any = ID) -> bytes:
    return bytes(pyrage.encrypt(text.encode(), [identity.to_public()], armored=True))


def store(root: Path, content: bytes | str = DOCUMENT, identity: Any = ID) -> AgeBackend:
    (root / "s.age").write_bytes(sealed(content) if isinstance(content, str) else content)
    environ = {"KRMFN_AGE_IDENTITY": f"# created\n# public key\n\n{OTHER}\n{identity}\n"}
    access = Access(environ, Deadline(60), Place(root, root.resolve()))
    return AgeBackend("main", check(Age, {"file": "s.age"}, name=""), access)


def fails(error: type[KrmfnError], id_: str, call: Any, *arguments: Any) -> str:
    """The line of the error, after a look for the canary in its whole traceback."""
    with pytest.raises(error) as caught:
        call(*arguments)
    assert caught.value.id == id_
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return caught.value.line()


def test_a_secret_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Numbers keep their text, `on` is a string, and the location is canonical."""
    opened = store(tmp_path)
    location = opened.locate("logto/backup")
    assert location.source == ("age", "st.ore-1", "logto/backup")
    assert location.text == "main:logto/backup"
    fields = opened.read(location, None)
    assert fields == {
        "id": "abc",
        "big": "12345678901234567890123",
        "float": "1.50",
        "yes": "on",
        "flag": True,
        "no": None,
    }
    assert isinstance(fields["float"], Number)


def test_what_is_not_there_has_its_own_error(tmp_path: Path) -> None:
    """Versions, missing paths and paths that are not canonical."""
    opened = store(tmp_path)
    location = opened.locate("logto/absent")
    assert "main:logto/absent" in fails(ProviderError, "not-found", opened.read, location, None)
    fails(ProviderError, "version-unsupported", opened.read, location, 1)
    fails(SpecError, "path", opened.locate, "logto/../backup")


def test_binding_is_enforced(tmp_path: Path) -> None:
    """Another namespace, another certificate and cluster-wide are refused."""
    opened = store(tmp_path)
    opened.bind("production", "a" * 64)
    fails(PolicyError, "store-bound", opened.bind, "staging", "a" * 64)
    fails(PolicyError, "store-bound", opened.bind, "", "a" * 64)
    fails(PolicyError, "store-bound", opened.bind, "production", "b" * 64)


def test_an_absent_list_binds_to_nothing_and_an_empty_one_refuses_all(tmp_path: Path) -> None:
    """`boundTo: {}` is the unbound store; `namespaces: []` fits no namespace."""
    head, _, tail = DOCUMENT.partition("boundTo")
    rest = tail.partition("\n")[2]
    store(tmp_path, f"{head}boundTo: {{}}\n{rest}").bind("", "b" * 64)
    none = store(tmp_path, f"{head}boundTo: {{namespaces: []}}\n{rest}")
    fails(PolicyError, "store-bound", none.bind, "production", "a" * 64)


def test_a_copied_file_stays_bound_and_keeps_its_id(tmp_path: Path) -> None:
    """The binding is in the content, not in the file's place."""
    original = store(tmp_path).locate("logto/backup")
    (tmp_path / "copy").mkdir()
    copy = store(tmp_path / "copy", (tmp_path / "s.age").read_bytes())
    assert copy.locate("logto/backup").source == original.source
    fails(PolicyError, "store-bound", copy.bind, "staging", "a" * 64)


def test_a_swapped_file_gives_another_source(tmp_path: Path) -> None:
    """Another store under the same name never gives the same derivation."""
    before = store(tmp_path).locate("logto/backup").source
    after = store(tmp_path, DOCUMENT.replace("st.ore-1", "st.ore-2")).locate("logto/backup").source
    assert before != after


def test_a_forged_file_opens_because_age_has_no_sender(tmp_path: Path) -> None:
    """The limit that the module's description admits: this is not detected."""
    forged = store(tmp_path, DOCUMENT.replace("id: abc", "id: forged"))
    assert forged.read(forged.locate("logto/backup"), None)["id"] == "forged"


@pytest.mark.parametrize(
    ("content", "id_"),
    [
        (sealed(DOCUMENT, pyrage.x25519.Identity.generate()), "age-identity"),
        (sealed(DOCUMENT).replace(b"\n", b"\nA", 3), "age-document"),
        (pyrage.encrypt(DOCUMENT.encode(), [ID.to_public()]), "age-document"),
        (b"", "age-document"),
        (DOCUMENT.encode(), "age-document"),
    ],
    ids=["others", "damaged", "binary", "empty", "plain"],
)
def test_a_file_that_does_not_open(tmp_path: Path, content: bytes, id_: str) -> None:
    """Each is told apart as far as age tells it, without a word of content."""
    fails(ProviderError, id_, store(tmp_path, content).locate, "a")


def test_a_passphrase_is_named_as_the_cause(tmp_path: Path) -> None:
    """To whom the identity is right and the file is not, the remedy is another one."""
    content = pyrage.passphrase.encrypt(DOCUMENT.encode(), "pw", armored=True)
    line = fails(ProviderError, "age-identity", store(tmp_path, content).locate, "a")
    assert "with a passphrase" in line


@pytest.mark.parametrize(
    "content",
    [
        CANARY,
        f"secrets: {{{CANARY}: [}}",
        f"? [{CANARY}]\n: 1",
        f"*{CANARY}",
        f"a: !{CANARY} b",
        f"{CANARY}: 1\n{CANARY}: 2",
        DOCUMENT + "---\n" + DOCUMENT,
        DOCUMENT + f"{CANARY}: 1\n",
        DOCUMENT.replace("st.ore-1", CANARY.upper()),
        DOCUMENT.replace("storeId", "other"),
        DOCUMENT.replace("encryptedTo", "secret"),
        DOCUMENT.replace("logto/backup", f"{CANARY}/../x"),
        DOCUMENT + f"  a: {CANARY}\n",
        DOCUMENT.partition("secrets")[0] + f"secrets: {CANARY}\n",
    ],
    ids=itertools.count(),  # the document has another key in every process
)
def test_a_document_that_is_no_store_is_not_quoted(tmp_path: Path, content: str) -> None:
    """Every mistake is `age-document`, with at most a position."""
    fails(ProviderError, "age-document", store(tmp_path, content).locate, "a")


def test_a_mistake_has_its_position(tmp_path: Path) -> None:
    """Line and column of the decrypted document help to find what is not quoted."""
    line = fails(ProviderError, "age-document", store(tmp_path, DOCUMENT + "  a: b\n").locate, "a")
    assert "its line 8, column 3" in line


def test_an_identity_that_is_none(tmp_path: Path) -> None:
    """A malformed identity is not quoted."""
    fails(ProviderError, "age-identity", read_identities, Plaintext(CANARY.encode()))
    fails(ProviderError, "age-identity", read_identities, Plaintext(b"# nothing\n"))
    bad = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}"
    fails(ProviderError, "age-identity", read_identities, Plaintext(bad.encode()))


def test_an_openssh_key_opens_what_is_encrypted_to_it() -> None:
    """An ssh-ed25519 key without a passphrase is an identity."""
    key = Ed25519PrivateKey.generate()
    formats = serialization.Encoding, serialization.PublicFormat
    public = key.public_key().public_bytes(formats[0].OpenSSH, formats[1].OpenSSH).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    identities = read_identities(Plaintext(private.strip()))
    file = AgeFile(frame(public), {"a": {"b": "c"}})
    assert open_file(render_file(file), identities, name="f") == file


def test_the_file_is_decrypted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that start together share one decryption."""
    calls = []
    decrypt = pyrage.decrypt
    monkeypatch.setattr(pyrage, "decrypt", lambda *a: calls.append(1) or decrypt(*a))
    opened = store(tmp_path)
    assert not calls
    threads = [threading.Thread(target=opened.locate, args=("a",)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_file_outside_the_repository_is_refused(tmp_path: Path) -> None:
    """A link that leads out is not followed."""
    root = tmp_path / "repository"
    root.mkdir()
    opened = store(root)
    (root / "s.age").rename(tmp_path / "s.age")
    (root / "s.age").symlink_to(tmp_path / "s.age")
    fails(SpecError, "path", opened.locate, "a")


def frame(recipient: str) -> AgeDocument:
    return check(AgeDocument, {"storeId": "s", "boundTo": {}, "encryptedTo": [recipient]}, name="")


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.sampled_from(["0", "-1", "+7", "0o17", "0x1F", "1.50", "-.5", "9" * 200])
VALUES = st.recursive(
    st.none() | st.booleans() | TEXT | NUMBERS | NUMBERS.map(Number),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def shape(value: Any) -> Any:
    """The value with the type of each leaf, since a Number equals its text."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_is_written_reads_back_as_it_was(fields: dict[str, Any]) -> None:
    """Any text, number and nesting survives writing, encrypting and reading."""
    file = AgeFile(frame(str(ID.to_public())), {"a/b": fields})
    found = open_file(render_file(file), [ID], name="f")
    assert shape(found.secrets["a/b"]) == shape(fields)
    assert found.frame == file.frame
