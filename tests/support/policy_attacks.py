"""What an author could write into a repository who wants more than the platform's rules give him."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import repository as repo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.trap import Trap

    # What it changes: the configuration, in the overlay; a server of the author's.
    Attack = Callable[[dict[str, Any], Path, Trap], None]

KEYS = Path(__file__).resolve().parents[1] / "vectors/keys"
OWN = (KEYS / "current.crt").read_text()  # the author has its private key
OWN_PIN = "0" * 64


def _sealing(**fields: Any) -> Attack:
    return lambda config, _overlay, _evil: config["spec"]["sealing"].update(fields)


def _vault(**fields: Any) -> Attack:
    return lambda config, _overlay, _evil: config["spec"]["stores"]["main"]["vault"].update(fields)


def _secret(**fields: Any) -> Attack:
    return lambda config, _overlay, _evil: config["spec"]["secrets"][0].update(fields)


def _path(key: str) -> Attack:
    ref = {"key": key, "property": "password"}
    return _secret(data=[{"secretKey": "password", "remoteRef": ref}])


def _template(**fields: Any) -> Attack:
    return _secret(template=fields)


def _file(name: str, text: str, **sealing: Any) -> Attack:
    def change(config: dict[str, Any], overlay: Path, _evil: Trap) -> None:
        (overlay / name).write_text(text)
        config["spec"]["sealing"].update(sealing)

    return change


def _namespace(name: str) -> Attack:
    def change(config: dict[str, Any], overlay: Path, _evil: Trap) -> None:
        config["metadata"]["namespace"] = name
        repo.change(overlay, namespace=name)

    return change


def _own_server(config: dict[str, Any], _overlay: Path, evil: Trap) -> None:
    config["spec"]["stores"]["main"]["vault"]["server"] = evil.address


def _second_server(config: dict[str, Any], _overlay: Path, evil: Trap) -> None:
    config["spec"]["stores"]["mine"] = {"vault": {"path": "secret", "server": evil.address}}
    config["spec"]["secrets"][0]["store"] = "mine"


def _key_server(config: dict[str, Any], _overlay: Path, evil: Trap) -> None:
    config["spec"]["stores"]["mine"] = {"vault": {"path": "secret", "server": evil.address}}
    key = {"transit": {"store": "mine", "key": "k", "version": 1}}
    config["spec"]["sealing"]["derivationKey"] = key


def _url(config: dict[str, Any], _overlay: Path, evil: Trap) -> None:
    url = evil.address.replace("http:", "https:")
    config["spec"]["sealing"]["certificate"] = {"url": f"{url}/c.pem", "sha256": OWN_PIN}


def _link_out(config: dict[str, Any], overlay: Path, _evil: Trap) -> None:
    (overlay / "certs/out.pem").symlink_to(KEYS / "current.crt")
    config["spec"]["sealing"]["certificate"] = {"file": "certs/out.pem"}


def _age_beside(config: dict[str, Any], overlay: Path, _evil: Trap) -> None:
    (overlay / "s.age").write_text("an encrypted file\n")
    config["spec"]["stores"]["mine"] = {"age": {"file": "s.age"}}


def _age_instead(config: dict[str, Any], overlay: Path, _evil: Trap) -> None:
    (overlay / "s.age").write_text("an encrypted file\n")
    config["spec"]["stores"]["main"] = {"age": {"file": "s.age"}}


def _unpinned(config: dict[str, Any], _overlay: Path, _evil: Trap) -> None:
    del config["spec"]["sealing"]["derivationKey"]
    config["spec"]["sealing"]["mode"] = "random"


def _many(config: dict[str, Any], _overlay: Path, _evil: Trap) -> None:
    first = config["spec"]["secrets"][0]
    config["spec"]["secrets"] = [{**first, "name": f"db-{n}"} for n in range(300)]


def _own_ca(config: dict[str, Any], overlay: Path, _evil: Trap) -> None:
    (overlay / "ca.pem").write_text(OWN)
    config["spec"]["stores"]["main"]["vault"]["caFile"] = "ca.pem"


DECODED = {"key": "build/db", "property": "password", "decodingStrategy": "Base64"}
CHECK = '{{ if eq .password "a" }}x{{ end }}'
SEALED_SECRETS = "sealedsecrets.bitnami.com"

# name -> what is changed, exit code, id
ATTACKS: dict[str, tuple[Attack, int, str]] = {
    "own certificate, file": (
        _file("own.pem", OWN, certificate={"file": "own.pem"}),
        6,
        "policy-denied",
    ),
    "own certificate, PEM": (_sealing(certificate={"pem": OWN}), 6, "policy-denied"),
    "own certificate, URL": (_url, 6, "policy-override"),
    "own certificate, store": (
        _sealing(certificate={"store": "main", "key": "build/db", "property": "certificate"}),
        6,
        "policy-override",
    ),
    "own certificate, newer in a bundle": (
        _file("certs/c.pem", repo.PEM + OWN),
        6,
        "policy-denied",
    ),
    "unknown recipient": (_sealing(certificate={"platform": "mine"}), 6, "policy-denied"),
    "own derivation key": (
        _sealing(derivationKey={"store": "main", "key": "build/mine", "property": "key"}),
        6,
        "policy-override",
    ),
    "own transit key": (
        _sealing(derivationKey={"transit": {"store": "main", "key": "mine", "version": 1}}),
        6,
        "policy-override",
    ),
    "own transit server": (_key_server, 6, "policy-denied"),
    "another tenant's derivation key": (
        _sealing(derivationKey={"platform": "other"}),
        6,
        "policy-denied",
    ),
    "no derivation key": (_unpinned, 6, "policy-denied"),
    "another address": (_own_server, 6, "policy-override"),
    "another server beside": (_second_server, 6, "policy-denied"),
    "another mount": (_vault(path="other"), 6, "policy-override"),
    "another vault namespace": (_vault(namespace="other"), 6, "policy-override"),
    "another store id": (_vault(id="other"), 6, "policy-override"),
    "a mount's version": (_vault(version="v1"), 6, "policy-override"),
    "another role": (
        _vault(auth={"kubernetes": {"role": "admin"}}),
        6,
        "policy-override",
    ),
    "another auth mount": (
        _vault(auth={"jwt": {"path": "mine", "role": "x", "secretRef": {"env": "VAULT_TOKEN"}}}),
        6,
        "policy-override",
    ),
    "another token path": (
        _vault(auth={"tokenRef": {"file": "/var/run/secrets/other/token"}}),
        6,
        "policy-override",
    ),
    "another auth namespace": (_vault(authNamespace="admin"), 6, "policy-override"),
    "own CA, file": (_own_ca, 6, "policy-override"),
    "own CA, bundle": (_vault(caBundle="bWluZQ=="), 6, "policy-override"),
    "own client certificate": (
        _vault(tls={"certRef": {"file": "a"}, "keyRef": {"file": "b"}}),
        6,
        "policy-override",
    ),
    "own proxy": (_vault(proxy="http://127.0.0.1:1"), 2, "spec"),
    "TLS switched off": (_vault(insecureSkipVerify=True), 2, "spec"),
    "another tenant's path": (_path("other/db"), 6, "policy-denied"),
    "path climbing out": (_path("build/../other/db"), 2, "path"),
    "path with a dot": (_path("build/./db"), 2, "path"),
    "path with an empty segment": (_path("build//db"), 2, "path"),
    "path with a leading slash": (_path("/build/db"), 2, "path"),
    "path escaped": (_path("build/%2e%2e/other"), 2, "path"),
    "path with a query": (_path("build/db?version=1"), 2, "path"),
    "path with a fragment": (_path("build/db#x"), 2, "path"),
    "path with a backslash": (_path("build\\..\\other"), 2, "path"),
    "path with a control character": (_path("build/db\n"), 2, "path"),
    "the derivation key as a value": (_path("krmfn/derivation"), 6, "policy-denied"),
    "another tenant's namespace": (_namespace("other"), 6, "policy-denied"),
    "cluster-wide scope": (_secret(scope="cluster-wide"), 6, "policy-denied"),
    "namespace-wide scope": (_secret(scope="namespace-wide"), 6, "policy-denied"),
    "random mode": (_secret(mode="random"), 6, "policy-denied"),
    "a template that tests a value": (_template(data={"x": CHECK}), 2, "template"),
    "a template that copies a value": (
        _template(data={"x": "{{ .password }}"}),
        6,
        "policy-denied",
    ),
    "a template that hashes a value": (
        _template(data={"x": "{{ .password | sha256sum }}"}),
        6,
        "policy-denied",
    ),
    "a template that counts a value": (_template(data={"x": "{{ len .password }}"}), 2, "template"),
    "a decoded value": (
        _secret(data=[{"secretKey": "password", "remoteRef": DECODED}]),
        6,
        "policy-denied",
    ),
    "replicator annotation": (
        _template(metadata={"annotations": {"replicator.v1.mittwald.de/replicate-to": "*"}}),
        6,
        "policy-denied",
    ),
    "a label that others select": (
        _template(metadata={"labels": {"argocd.argoproj.io/secret-type": "cluster"}}),
        6,
        "policy-denied",
    ),
    "managed in the template": (
        _template(metadata={"annotations": {f"{SEALED_SECRETS}/managed": "true"}}),
        6,
        "policy-denied",
    ),
    "patch in the template": (
        _template(metadata={"annotations": {f"{SEALED_SECRETS}/patch": "true"}}),
        6,
        "policy-denied",
    ),
    "managed on the object": (
        _secret(metadata={"annotations": {f"{SEALED_SECRETS}/managed": "true"}}),
        6,
        "policy-denied",
    ),
    "finalizers in the template": (_template(metadata={"finalizers": ["x/y"]}), 2, "spec"),
    "a service account's token": (
        _template(type="kubernetes.io/service-account-token"),
        6,
        "policy-denied",
    ),
    "forged annotation": (
        _secret(metadata={"annotations": {"krmfn.dev/sealed-for": "production/db"}}),
        2,
        "annotation",
    ),
    "certificate by a link out": (_link_out, 2, "path"),
    "an age store in a vault's place": (_age_instead, 6, "policy-override"),
    "an age store beside": (_age_beside, 6, "policy-denied"),
    "more secrets than allowed": (_many, 6, "policy-limit"),
}
