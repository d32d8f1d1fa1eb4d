"""The derivation against frozen answers, against a second implementation, and against itself.

The answers (tests/vectors/seal-v1.json) were made by tests/support/seal_reference.py, which was
written from docs/seal-v1.md and imports nothing of krmfn.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krmfn.crypto import derive
from krmfn.crypto.certificate import parse
from krmfn.crypto.derive import LITERAL, ItemContext, composed_source, remote_source, tlv
from krmfn.crypto.seal import hybrid_encrypt
from krmfn.errors import SealingError, SpecError
from krmfn.objects.sealed_secret import label_for
from krmfn.sealing.values import components
from tests.support import make_seal_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from krmfn.crypto.certificate import SealingCertificate

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "seal-v1.json").read_text()
)
CERTIFICATES: dict[str, SealingCertificate] = {
    size: parse(one["CertPEM"].encode()) for size, one in make_seal_vectors.recipients().items()
}
KEYS = {
    name: derive.parse_key(key["hex"].encode()) for name, key in VECTORS["derivationKeys"].items()
}
GROUPS = [(kind, name) for kind in ("different", "same") for name in VECTORS[kind]]
CASES = [(kind, name, n) for kind, name in GROUPS for n in range(len(VECTORS[kind][name]))]


def source(form: Any) -> bytes:
    """A source of the vectors, by krmfn."""
    if form == "literal":
        return LITERAL
    ((kind, of),) = form.items()
    if kind == "vault":
        place = ("vault", of["id"], of["namespace"], of["mount"], of["path"])
        return remote_source(place, of["components"])
    if kind == "age":
        return remote_source(("age", of["id"], of["path"]), of["components"])
    return composed_source(of["template"], of["transforms"], map(source, of["sources"]))


def context(item: dict[str, Any]) -> ItemContext:
    """An item of the vectors, by krmfn."""
    scope, namespace, name = item["scope"], item["namespace"], item["name"]
    return ItemContext(
        spki_sha256=CERTIFICATES[item["recipient"]].spki_sha256,
        scope=scope,
        label=label_for(scope, namespace, name),
        namespace="" if scope == "cluster-wide" else namespace,
        name=name,
        key=item["key"],
        source=source(item["source"]),
        epoch=item["epoch"],
    )


def test_the_reference_still_gives_the_frozen_answers() -> None:
    """The file is what the reference makes, to the byte: version 1 has not moved."""
    assert (
        make_seal_vectors.text() == make_seal_vectors.VECTORS.joinpath("seal-v1.json").read_text()
    )


@pytest.mark.parametrize(("kind", "group", "number"), CASES)
def test_known_answers(kind: str, group: str, number: int) -> None:
    """C, F, rnd64 and the sealed item of every case are the frozen ones."""
    answer = VECTORS[kind][group][number]
    item = VECTORS["base"] | answer["change"]
    of, plaintext = context(item), item["plaintext"].encode()
    f = derive.first_step(KEYS[item["derivationKey"]], of.digest())
    rnd64 = derive.second_step(f, of, plaintext)
    certificate = CERTIFICATES[item["recipient"]]
    sealed = hybrid_encrypt(
        certificate.modulus, certificate.exponent, rnd64, plaintext, of.label.encode()
    )
    assert of.encode().hex() == answer["C"]
    assert f.hex() == answer["F"]
    assert rnd64.hex() == answer["rnd64"]
    assert base64.b64encode(sealed).decode() == answer["item"]


@pytest.mark.parametrize("group", VECTORS["different"])
def test_neighbours_differ(group: str) -> None:
    """Contexts that look alike share neither C nor, with a plaintext, any half of rnd64."""
    answers = VECTORS["different"][group]
    only_context = [a for a in answers if not a["change"].keys() & {"plaintext", "derivationKey"}]
    assert len({a["C"] for a in only_context}) == len(only_context)
    for half in (slice(0, 64), slice(64, 128)):
        assert len({a["rnd64"][half] for a in answers}) == len(answers)


@pytest.mark.parametrize("group", VECTORS["same"])
def test_what_carries_no_meaning_changes_nothing(group: str) -> None:
    """Order and repetition of sources, and the namespace of cluster-wide, give the same item."""
    assert len({a["item"] for a in VECTORS["same"][group]}) == 1


@pytest.mark.parametrize("size", CERTIFICATES)
def test_the_public_key_is_hashed_in_one_form(size: str) -> None:
    """The recipient's hash is that of the reference's own DER."""
    assert CERTIFICATES[size].fingerprint == VECTORS["recipients"][size]


@pytest.mark.parametrize("name", KEYS)
def test_key_ids(name: str) -> None:
    """A key's id is the frozen one."""
    f = derive.first_step(KEYS[name], derive.key_id_digest())
    assert derive.key_id(f) == VECTORS["derivationKeys"][name]["id"]


def test_the_key_id_is_not_an_item() -> None:
    """Text of another use of the key never stands at the head of a C."""
    of = context(VECTORS["base"])
    assert of.encode().startswith((9).to_bytes(8) + (13).to_bytes(8) + derive.VERSION)
    assert tlv(derive.KEY_ID) != tlv(derive.VERSION)


@pytest.mark.parametrize(("property_", "expected"), VECTORS["properties"].items())
def test_properties(property_: str, expected: list[str]) -> None:
    """A property's components, dots and backslashes escaped."""
    assert list(components(property_)) == expected


@pytest.mark.parametrize("property_", VECTORS["refusedProperties"])
def test_properties_refused(property_: str) -> None:
    """No empty component, and no backslash before anything but a dot or a backslash."""
    with pytest.raises(SpecError):
        components(property_)


def test_an_absent_property_is_the_whole_secret() -> None:
    """Absent has no components; one empty component is something else."""
    assert components(None) == ()
    assert remote_source(("vault", "", "", "", ""), ()) != remote_source(
        ("vault", "", "", "", ""), ("",)
    )


def test_an_epoch_left_out_is_1() -> None:
    """The default is bound as if it had been written."""
    of = context(VECTORS["base"])
    fields = {f.name: getattr(of, f.name) for f in dataclasses.fields(of) if f.name != "epoch"}
    assert ItemContext(**fields) == of


def random_contexts(count: int) -> set[tuple[ItemContext, bytes]]:
    """Distinct tuples out of few, short, overlapping texts.

    Fields that run together without a boundary, or a field left out, give several one encoding.
    """
    rng = random.Random(20261124)
    texts = ["", "a", "b", "ab", "ba", "a/b", "aa"]
    sources = [LITERAL, remote_source(("vault", "a"), ["b"]), remote_source(("vault", "ab"), [""])]
    found: set[tuple[ItemContext, bytes]] = set()
    while len(found) < count:
        scope, label, namespace, name, key, epoch, plaintext = rng.choices(texts, k=7)
        of = ItemContext(
            rng.choice((b"\1" * 32, b"\2" * 32, b"\3" * 32)),
            scope, label, namespace, name, key, rng.choice(sources), epoch,
        )  # fmt: skip
        found.add((of, plaintext.encode()))
    return found


def test_ten_thousand_tuples_have_ten_thousand_session_keys() -> None:
    """No two different tuples share a session key or a seed."""
    tuples = random_contexts(10_000)
    key = KEYS["k64"]
    rnd64 = [
        derive.second_step(derive.first_step(key, of.digest()), of, plain) for of, plain in tuples
    ]
    assert len({one[:32] for one in rnd64}) == 10_000
    assert len({one[32:] for one in rnd64}) == 10_000


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(ItemContext)])
def test_every_field_counts(field: str) -> None:
    """A change of any one field changes both steps, even when the first answers a constant."""
    of = context(VECTORS["base"])
    value = getattr(of, field)
    changed: Any = value + (b"x" if field in BYTES else "x")
    other = dataclasses.replace(of, **{field: changed})
    assert of.digest() != other.digest()
    constant = bytes(64)
    assert derive.second_step(constant, of, b"") != derive.second_step(constant, other, b"")


BYTES = ("spki_sha256", "source")


def test_a_transit_engine_that_answers_a_constant() -> None:
    """Two plaintexts still have two session keys, and two contexts of one plaintext too."""
    of = context(VECTORS["base"])
    elsewhere = dataclasses.replace(of, name="other")
    constant = b"\x2a" * 64
    keys = {derive.second_step(constant, o, p)[:32] for o in (of, elsewhere) for p in (b"a", b"b")}
    assert len(keys) == 4


def test_the_first_step_never_sees_the_plaintext() -> None:
    """What a transit engine is asked about depends on the context alone, and hides it: 64 bytes."""
    of = context(VECTORS["base"])
    assert len(of.digest()) == 64
    assert of.digest() == context(dict(VECTORS["base"], plaintext="other")).digest()


fields = st.lists(st.binary(max_size=12), max_size=5)


@given(fields, fields)
def test_tlv_is_injective(left: list[bytes], right: list[bytes]) -> None:
    """Two lists of fields have one encoding only if they are one list."""
    assert (tlv(*left) == tlv(*right)) == (left == right)


@given(fields)
def test_tlv_can_be_read_back(written: list[bytes]) -> None:
    """The encoding names its fields without doubt: a reader needs nothing else."""
    encoded = tlv(*written)
    count, position, found = int.from_bytes(encoded[:8]), 8, []
    for _ in range(count):
        length = int.from_bytes(encoded[position : position + 8])
        found.append(encoded[position + 8 : position + 8 + length])
        position += 8 + length
    assert found == written
    assert position == len(encoded)


@pytest.mark.parametrize("field", ["scope", "label", "namespace", "name", "key", "epoch"])
def test_lone_surrogates_are_refused(field: str) -> None:
    """Text that is no Unicode is an error of the configuration that does not quote it."""
    broken: dict[str, Any] = {field: "x\ud800"}
    of = dataclasses.replace(context(VECTORS["base"]), **broken)
    with pytest.raises(SpecError) as caught:
        of.encode()
    assert caught.value.__suppress_context__
    assert "\\ud800" not in caught.value.line()


def test_lone_surrogates_in_a_source_are_refused() -> None:
    """Likewise in a place, a property, a template and a transform."""
    attempts: tuple[Callable[[], bytes], ...] = (
        lambda: remote_source(("vault", "\ud800"), ()),
        lambda: remote_source(("vault", "a"), ("\ud800",)),
        lambda: composed_source("\ud800", (), ()),
        lambda: composed_source("", ("\ud800",), ()),
    )
    for make in attempts:
        with pytest.raises(SpecError):
            make()


RAW = {n: bytes.fromhex(VECTORS["derivationKeys"][f"k{n}"]["hex"]) for n in (32, 64)}


@pytest.mark.parametrize("size", RAW)
@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_forms_of_a_key(size: int, newline: bytes) -> None:
    """Lower-case hex or canonical base64, 32 or 64 bytes, one newline allowed."""
    raw = RAW[size]
    assert derive.parse_key(raw.hex().encode() + newline) == raw
    assert derive.parse_key(base64.b64encode(raw) + newline) == raw


def refused_keys() -> dict[str, bytes]:
    """Stored forms that are no key."""
    raw, b64 = RAW[32], base64.b64encode(RAW[32])
    loose = b64[:-2] + bytes([b64[-2] + 1]) + b"="  # the same bytes, another spelling
    assert base64.b64decode(loose) == raw
    return {
        "empty": b"",
        "raw bytes": raw,
        "upper-case hex": raw.hex().upper().encode(),
        "hex with spaces": raw.hex(" ").encode(),
        "hex and two newlines": raw.hex().encode() + b"\n\n",
        "hex and a carriage return": raw.hex().encode() + b"\r\n",
        "hex and a space": raw.hex().encode() + b" ",
        "a newline before": b"\n" + raw.hex().encode(),
        "0x": b"0x" + raw.hex().encode(),
        "31 bytes as hex": raw[:31].hex().encode(),
        "33 bytes as hex": (raw + b"\1").hex().encode(),
        "40 bytes as base64": base64.b64encode(RAW[64][:40]),
        "48 bytes as base64": base64.b64encode(RAW[64][:48]),
        "72 bytes as base64": base64.b64encode(RAW[64] + RAW[32][:8]),
        "16 bytes as base64": base64.b64encode(raw[:16]),
        "base64 without padding": b64.rstrip(b"="),
        "base64 that is not canonical": loose,
        "URL-safe base64": base64.urlsafe_b64encode(b"\xff" * 16 + bytes(16)),
        "base64 with a newline inside": b64[:20] + b"\n" + b64[20:],
        "zeros": bytes(32).hex().encode(),
        "one byte over and over": (b"\x9c" * 64).hex().encode(),
        "a passphrase": b"correct horse battery staple 123".hex().encode(),
        "a passphrase as base64": base64.b64encode(b"correct horse battery staple 123"),
        "hex of hex": raw.hex().encode().hex().encode(),
        "not ASCII": "é".encode() * 32,
    }


@pytest.mark.parametrize(("stored"), refused_keys().values(), ids=refused_keys())
def test_refused_forms_of_a_key(stored: bytes) -> None:
    """Another form or length, or what is not random, is refused and never quoted."""
    with pytest.raises(SealingError) as caught:
        derive.parse_key(stored)
    assert caught.value.id == "derivation-key"
    if stored:
        assert stored.decode("latin-1")[:8] not in caught.value.line()


def test_random_keys_are_taken() -> None:
    """What the remedy's command makes is a key, every time."""
    for _ in range(200):
        key = os.urandom(32)
        assert derive.parse_key(key.hex().encode()) == key


def test_the_specifications_example_is_the_first_known_answer() -> None:
    """The bytes printed in docs/seal-v1.md are those of the vectors."""
    document = Path(__file__).parent.parent.parent / "docs" / "seal-v1.md"
    lines = document.read_text().partition("## An example")[2].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("    0000"))
    count = lines.index("", first)
    hexadecimal = re.compile(r"^[ ]+((?:[0-9a-f]+ )*[0-9a-f]+)(?=  |$)")
    printed = [hexadecimal.match(line) for line in lines[first:count]]
    answer = VECTORS["different"]["each row of the table"][0]
    assert "".join(m.group(1).replace(" ", "") for m in printed if m) == answer["C"]
    rest = "".join("".join(lines[count:]).split())
    assert f"F={answer['F']}rnd64={answer['rnd64']}The" in rest
    assert hashlib.sha256(base64.b64decode(answer["item"])).hexdigest() in rest
