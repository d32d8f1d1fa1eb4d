"""Makes tests/vectors/seal-v1-places.json: the places that two readers of the page could read in two ways.

Each answer stands below in words of docs/seal-v1.md, written by hand; the reference makes the bytes.
Run it as a module. The file is frozen, as seal-v1.json is.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support import seal_reference as reference
from tests.support.make_seal_vectors import VECTORS

Case = dict[str, Any]

ORIGINS = {
    "https://vault.example": "https://vault.example:443",
    "https://vault.example/": "https://vault.example:443",
    "https://vault.example:443": "https://vault.example:443",
    "https://vault.example:8200": "https://vault.example:8200",
    "HTTPS://Vault.Example:8200": "https://vault.example:8200",
    "http://127.0.0.1": "http://127.0.0.1:80",
    "http://localhost:8200": "http://localhost:8200",
    "https://[2001:DB8::1]": "https://[2001:db8::1]:443",
    "https://[2001:db8::1]:8200": "https://[2001:db8::1]:8200",
    "http://[::1]:8200/": "http://[::1]:8200",
}

# A mount `kv` in the namespace `team`, and one `secret` in the root namespace; NAMESPACE is where
# the store says that it is, PATH its path, KEY the reference's.
PLACES: list[tuple[Case, Case]] = [
    ({"path": "secret", "key": "a/db"}, {"namespace": "", "mount": "secret", "path": "a/db"}),
    ({"path": "secret/a", "key": "db"}, {"namespace": "", "mount": "secret", "path": "a/db"}),
    ({"path": "/secret/a/b/", "key": "db"}, {"namespace": "", "mount": "secret", "path": "a/b/db"}),
    (
        {"path": "kv", "namespace": "team", "key": "db"},
        {"namespace": "team", "mount": "kv", "path": "db"},
    ),
    ({"path": "team/kv", "key": "db"}, {"namespace": "team", "mount": "kv", "path": "db"}),
    ({"path": "team/kv/a", "key": "db"}, {"namespace": "team", "mount": "kv", "path": "a/db"}),
    (
        {"path": "sub/kv/a", "namespace": "team", "key": "db"},
        {"namespace": "team/sub", "mount": "kv", "path": "a/db"},
    ),
    # The vault does not say where the mount is: all of the path is its name.
    (
        {"path": "secret/a", "version": "v2", "key": "db"},
        {"namespace": "", "mount": "secret/a", "path": "db"},
    ),
    (
        {"path": "team/kv", "version": "v2", "key": "db"},
        {"namespace": "", "mount": "team/kv", "path": "db"},
    ),
]

LIST = ["zero", ["one", "two"]]
INDICES: dict[str, str | None] = {
    "list.0": "zero",
    "list.1.0": "one",
    "list.1.1": "two",
    "list.00": None,
    "list.01": None,
    "list.1.01": None,
    "list.+0": None,
    "list.-1": None,
    "list.2": None,
    "list.\u0660": None,  # a digit, and no ASCII one
    "map.00": "a field",
    "map.01": "another",
}
MAP = {"00": "a field", "01": "another"}

# JSON text of a value, how it is taken, and its plaintext as hex; None: refused.
VALUES: list[tuple[str, str | None, str, str | None]] = [
    ('"c3NzcA=="', None, "Base64", b"sssp".hex()),
    ("1234", "json", "None", b"1234".hex()),
    ("1234", "json", "Base64", "d76df8"),  # the JSON text is what is decoded
    ("true", "json", "Base64", "b6bb9e"),
    ('"c3NzcA=="', "json", "None", b'"c3NzcA=="'.hex()),
    ('"c3NzcA=="', "json", "Base64", None),  # its quotes are no base64
    ('{"a":"c3NzcA=="}', "json", "Base64", None),
    ('"c3Nz\\ncA==\\n"', None, "Base64", b"sssp".hex()),
    ('"c3NzcB=="', None, "Base64", b"sssp".hex()),
    ('"c3NzcA="', None, "Base64", None),
    ('"c3NzcA==="', None, "Base64", None),
    ('"c3NzcA== "', None, "Base64", None),
]

# The names that a Secret has had, oldest first, without the hash; what the digests are bound to.
NAMES = [
    {"had": ["db"], "baseName": "db", "checksumName": "db"},
    {"had": ["db", "p-db"], "baseName": "p-db", "checksumName": "db"},
    {"had": ["db", "db-x"], "baseName": "db-x", "checksumName": "db"},
    {"had": ["db", "a-db"], "baseName": "a-db", "checksumName": "a-db"},
]


def place(said: Case, meant: Case) -> Case:
    """A reference, and the source that it has."""
    of = {"id": "main", **meant, "components": ["password"]}
    return {"store": said, "vault": of, "source": reference.source({"vault": of}).hex()}


def make() -> Case:
    """The whole file."""
    return {
        "origins": ORIGINS,
        "places": [place(*each) for each in PLACES],
        "value": {"list": LIST, "map": MAP},
        "properties": INDICES,
        "plaintexts": [
            {"value": value, "as": as_, "decodingStrategy": strategy, "plaintext": plaintext}
            for value, as_, strategy, plaintext in VALUES
        ],
        "names": NAMES,
    }


def text() -> str:
    """The file's text."""
    return json.dumps(make(), indent=1) + "\n"


if __name__ == "__main__":
    (VECTORS / "seal-v1-places.json").write_text(text())
