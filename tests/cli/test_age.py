"""`krmfn age`: values go in by standard input and come out only when asked for."""

from __future__ import annotations

import hashlib
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pyrage
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from krmfn.crypto import derive
from krmfn.stores.age.file import AgeFile, open_file, render_file
from tests.support import command

if TYPE_CHECKING:
    import subprocess

CANARY = "canary-4711"
ROOT = Path(__file__).parents[2]


def krmfn(
    directory: Path, *arguments: str, given: str = "", code: int = 0, identity: str = ""
) -> subprocess.CompletedProcess[str]:
    environ = {"KRMFN_AGE_IDENTITY": identity} if identity else {}
    result = command.krmfn("age", *arguments, stdin=given, cwd=directory, **environ)
    assert result.returncode == code, result.stderr
    assert CANARY not in result.stderr
    return result


def opened(directory: Path) -> AgeFile:
    identity = (directory / "id").read_text().splitlines()[-1]
    content = (directory / "s.age").read_bytes()
    return open_file(content, [pyrage.x25519.Identity.from_str(identity)], name="s.age")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    krmfn(tmp_path, "init", "s.age", "--identity", "id", "--namespace", "production")
    return tmp_path


def test_init_makes_identity_file_and_snippet(tmp_path: Path) -> None:
    """The identity is 0600; the snippet pins the key and holds neither key nor store id."""
    result = krmfn(tmp_path, "init", "s.age", "--identity", "id", "--namespace", "a", "b")
    assert stat.S_IMODE((tmp_path / "id").stat().st_mode) == 0o600
    file = opened(tmp_path)
    assert file.frame.bound_to.namespaces == ("a", "b")
    assert file.frame.bound_to.recipients is None
    key = file.secrets["krmfn/derivation"]["key"]
    assert isinstance(key, str)
    pin = derive.key_id(derive.first_step(derive.parse_key(key.encode()), derive.key_id_digest()))
    assert f"id: {pin}" in result.stdout
    shown = result.stdout + result.stderr
    assert key not in shown
    assert file.frame.store_id not in shown
    assert "AGE-SECRET-KEY" not in shown


def test_init_overwrites_nothing(store: Path) -> None:
    """Neither the file nor the identity changes, and an existing identity is used again."""
    before = (store / "s.age").read_bytes(), (store / "id").read_bytes()
    krmfn(store, "init", "s.age", "--identity", "id", "--unbound", code=5)
    krmfn(store, "init", "t.age", "--identity", "id", "--unbound")
    assert before == ((store / "s.age").read_bytes(), (store / "id").read_bytes())


@pytest.mark.parametrize("binding", [[], ["--unbound", "--namespace", "a"]])
def test_init_wants_to_know_what_for(tmp_path: Path, binding: list[str]) -> None:
    """Binding or --unbound, exactly one; nothing is made otherwise."""
    krmfn(tmp_path, "init", "s.age", "--identity", "id", *binding, code=2)
    assert list(tmp_path.iterdir()) == []


def test_init_binds_to_the_public_key_of_a_certificate(tmp_path: Path) -> None:
    """The hash is that of the SubjectPublicKeyInfo."""
    pem = (ROOT / "tests/vectors/keys/current.crt").read_bytes()
    (tmp_path / "c.pem").write_bytes(pem)
    krmfn(tmp_path, "init", "s.age", "--identity", "id", "--certificate", "c.pem")
    public_key = x509.load_pem_x509_certificate(pem).public_key()
    der = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert opened(tmp_path).frame.bound_to.recipients == (hashlib.sha256(der).hexdigest(),)


def test_init_refuses_recipients_that_lock_the_identity_out(store: Path) -> None:
    """What is encrypted to others alone would be a file that its maker cannot open."""
    other = str(pyrage.x25519.Identity.generate().to_public())
    arguments = ("init", "t.age", "--identity", "id", "--unbound", "--to", other)
    assert "[age-identity]" in krmfn(store, *arguments, code=3).stderr
    assert not (store / "t.age").exists()


@pytest.mark.parametrize(
    ("given", "trim", "kept"),
    [
        (CANARY, [], CANARY),
        (f"{CANARY}\n", [], f"{CANARY}\n"),
        (f"{CANARY}\n\n", ["--trim"], f"{CANARY}\n"),
        (f" {CANARY}\r\n", ["--trim"], f" {CANARY}"),
        (CANARY, ["--trim"], CANARY),
    ],
)
def test_set_takes_the_value_as_it_is(store: Path, given: str, trim: list[str], kept: str) -> None:
    """Not a byte is changed but the one newline that --trim drops."""
    result = krmfn(store, "set", "s.age", "a/b", "pw", "--identity", "id", *trim, given=given)
    assert CANARY not in result.stdout
    assert opened(store).secrets["a/b"] == {"pw": kept}
    got = krmfn(store, "get", "s.age", "a/b", "pw", "--identity", "id").stdout
    assert got == kept.replace("\r\n", "\n")


def test_set_keeps_everything_else(store: Path) -> None:
    """Another property, the frame and the derivation key stay."""
    before = opened(store)
    for name in ("one", "two"):
        krmfn(store, "set", "s.age", "a/b", name, "--identity", "id", given=name)
    after = opened(store)
    assert after.frame == before.frame
    assert after.secrets == {**before.secrets, "a/b": {"one": "one", "two": "two"}}


def test_set_reads_an_object(store: Path) -> None:
    """--json replaces the whole secret; numbers keep their text."""
    given = '{"n": 1.50, "big": 12345678901234567890, "o": {"x": [1, null, true]}}'
    krmfn(store, "set", "s.age", "a/b", "--json", "--identity", "id", given=given)
    assert opened(store).secrets["a/b"]["n"] == "1.50"
    got = krmfn(store, "get", "s.age", "a/b", "o", "--identity", "id").stdout
    assert got == '{"x":[1,null,true]}'


@pytest.mark.parametrize(
    ("arguments", "given", "code"),
    [
        (["a/b", "pw"], "", 2),
        (["a/../b", "pw"], CANARY, 2),
        (["a/b"], CANARY, 2),
        (["a/b", "pw", "--json"], "{}", 2),
        (["a/b", "--json"], f'{{"a": "{CANARY}"', 2),
        (["a/b", "--json"], f'["{CANARY}"]', 2),
        (["a/b", "--json"], f'{{"a": "{CANARY}", "a": 1}}', 2),
        (["a/b", "--json"], '{"a": 1e3}', 2),
        (["a/b", "--json"], f'{{"a": "{CANARY}\\ud800"}}', 3),
    ],
)
def test_a_failed_set_changes_nothing(
    store: Path, arguments: list[str], given: str, code: int
) -> None:
    """The file stays byte-identical, nothing lies beside it, and no value is shown."""
    before = (store / "s.age").read_bytes()
    result = krmfn(store, "set", "s.age", *arguments, "--identity", "id", given=given, code=code)
    assert re.fullmatch(r"\[error\] krmfn age: .*\]\n", result.stderr)
    assert (store / "s.age").read_bytes() == before
    assert sorted(p.name for p in store.iterdir()) == ["id", "s.age"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["pw", CANARY], "…"),
        (["pw", f"with {CANARY}", "--valeu", CANARY], "… --valeu"),
        (["pw", f"--value={CANARY}"], "--value"),
    ],
)
def test_a_value_as_an_argument(store: Path, arguments: list[str], told: str) -> None:
    """Is refused, and not repeated: standard error is what a log keeps."""
    result = krmfn(store, "set", "s.age", "a/b", *arguments, "--identity", "id", code=2)
    assert result.stderr == (
        f"[error] krmfn age: unrecognized arguments: {told}; see krmfn age --help [usage]\n"
    )


def test_set_does_not_lock_its_user_out(store: Path) -> None:
    """A file that would be encrypted to others alone is not written."""
    mine = pyrage.x25519.Identity.from_str((store / "id").read_text().splitlines()[-1])
    other = str(pyrage.x25519.Identity.generate().to_public())
    file = opened(store)
    frame = file.frame.model_copy(update={"encrypted_to": (other,)})
    plain = pyrage.decrypt(render_file(file), [mine])
    mine_only = plain.replace(str(mine.to_public()).encode(), other.encode())
    before = bytes(pyrage.encrypt(mine_only, [mine.to_public()], armored=True))
    (store / "s.age").write_bytes(before)
    assert opened(store).frame == frame
    krmfn(store, "set", "s.age", "a", "b", "--identity", "id", given=CANARY, code=3)
    assert (store / "s.age").read_bytes() == before


def test_get_lists_names_and_never_values(store: Path) -> None:
    """Paths and properties without PATH, properties without PROPERTY; never the store id."""
    krmfn(store, "set", "s.age", "a/b", "pw", "--identity", "id", given=CANARY)
    everything = krmfn(store, "get", "s.age", "--identity", "id").stdout
    assert everything == "krmfn/derivation: key\na/b: pw\n"
    assert krmfn(store, "get", "s.age", "a/b", "--identity", "id").stdout == "pw\n"


def test_get_says_what_is_missing(store: Path) -> None:
    """A path and a property have their own errors."""
    result = krmfn(store, "get", "s.age", "x", "--identity", "id", code=3)
    assert "[not-found]" in result.stderr
    result = krmfn(store, "get", "s.age", "krmfn/derivation", "x", "--identity", "id", code=3)
    assert "[property-missing]" in result.stderr


def test_the_identity_comes_from_the_environment_too(store: Path) -> None:
    """Without --identity it is KRMFN_AGE_IDENTITY, and without that an error."""
    identity = (store / "id").read_text()
    assert krmfn(store, "get", "s.age", identity=identity).stdout
    assert "[credential-missing]" in krmfn(store, "get", "s.age", code=3).stderr
    stranger = str(pyrage.x25519.Identity.generate())
    assert "[age-identity]" in krmfn(store, "get", "s.age", identity=stranger, code=3).stderr


def test_help_says_that_get_prints_plaintext(tmp_path: Path) -> None:
    """Whoever reads the help knows before he asks."""
    assert "PLAINTEXT" in krmfn(tmp_path, "get", "--help").stdout
