"""What the API server would refuse is refused before it is sealed."""

from __future__ import annotations

import pytest

from krmfn.errors import SpecError
from krmfn.objects.secret_types import check_type
from krmfn.plaintext import Plaintext

TLS, SSH, BASIC = "kubernetes.io/tls", "kubernetes.io/ssh-auth", "kubernetes.io/basic-auth"
CONFIG, OLD = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"


def check(type_: str | None, **data: bytes) -> None:
    check_type(
        type_, {k.replace("__", "-").replace("_", "."): Plaintext(v) for k, v in data.items()}
    )


def test_what_fits() -> None:
    """Each type with its keys, others beside them, and types that have no rules."""
    check(TLS, tls_crt=b"", tls_key=b"", ca_crt=b"x")
    check(SSH, ssh__privatekey=b"x")
    check(BASIC, username=b"")
    check(BASIC, password=b"x")
    check(CONFIG, _dockerconfigjson=b'{"auths":{}}')
    check(OLD, _dockercfg=b"{}")
    check(None)
    check("Opaque", anything=b"")
    check("example.com/own")


@pytest.mark.parametrize(
    ("type_", "data", "message"),
    [
        (TLS, {"tls_crt": b"canary"}, "needs the key tls.key"),
        (TLS, {"tls_key": b"canary"}, "needs the key tls.crt"),
        (SSH, {"x": b"canary"}, "needs the key ssh-privatekey"),
        (SSH, {"ssh__privatekey": b""}, "needs a value in ssh-privatekey"),
        (BASIC, {"user": b"canary"}, "needs the key username or password"),
        (CONFIG, {"x": b"canary"}, "needs the key .dockerconfigjson"),
        (OLD, {"_dockerconfigjson": b"{}"}, "needs the key .dockercfg"),
        (CONFIG, {"_dockerconfigjson": b"canary"}, "needs a JSON object in .dockerconfigjson"),
        (CONFIG, {"_dockerconfigjson": b'["canary"]'}, "needs a JSON object in .dockerconfigjson"),
        (CONFIG, {"_dockerconfigjson": b"\xff\xfe\x00canary"}, "needs a JSON object in .dockerconfigjson"),
        (CONFIG, {"_dockerconfigjson": b"[" * 100_000}, "needs a JSON object in .dockerconfigjson"),
        (OLD, {"_dockercfg": b""}, "needs a JSON object in .dockercfg"),
    ],
)  # fmt: skip
def test_what_does_not_fit(type_: str, data: dict[str, bytes], message: str) -> None:
    """The line names type and key."""
    with pytest.raises(SpecError) as caught:
        check(type_, **data)
    assert caught.value.line() == f"type {type_} {message} [secret-type]"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_size_of_a_secret() -> None:
    """A mebibyte is the limit, all values together, whatever the type."""
    check(None, a=b"x" * 2**19, b=b"x" * 2**19)
    with pytest.raises(SpecError) as caught:
        check(None, a=b"x" * 2**19, b=b"x" * (2**19 + 1))
    assert caught.value.line() == "the data is over 1 MiB; split the secret [secret-type]"
