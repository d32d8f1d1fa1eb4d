"""Fetch the controller's certificate, or check a file.

A build never fetches the certificate. The controller creates a new one every 30 days, and the old
ones stay valid. Fetch it on purpose, review the diff, and commit it.

  krmfn cert fetch -o certs/production.pem
  krmfn cert fetch --url https://sealed-secrets.example/v1/cert.pem -o certs/production.pem
  krmfn cert check certs/production.pem
  krmfn cert check certs/production.pem --cluster
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.cli.console import give, say
from krmfn.cluster.api import NAMESPACE, SERVICE_NAMES, fetch_certificate
from krmfn.crypto.certificate import choose
from krmfn.deadline import Deadline
from krmfn.errors import CheckError, KrmfnError, SealingError
from krmfn.files.read import read_file
from krmfn.files.write import File, write_files
from krmfn.sealing.recipient import fetch_url

if TYPE_CHECKING:
    import argparse

    from krmfn.crypto.certificate import SealingCertificate


def register(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="fetch|check")
    fetch = actions.add_parser("fetch", help="get the certificate from a cluster or an address")
    fetch.add_argument("-o", "--output", metavar="FILE", help="write this file; default: print")
    _add_sources(fetch)
    check = actions.add_parser("check", help="check whether krmfn can seal with a file")
    check.add_argument("file", metavar="FILE", help="a certificate as PEM; - is standard input")
    check.add_argument(
        "--cluster", action="store_true", help="compare with the certificate of the cluster"
    )
    _add_sources(check)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="https address of the certificate")
    parser.add_argument("--sha256", metavar="HEX", help="expected SHA-256 of the public key")
    parser.add_argument("--context", help="kubeconfig context")
    parser.add_argument(
        "--controller-namespace",
        default=NAMESPACE,
        metavar="NS",
        help=f"namespace of the controller; default: {NAMESPACE}",
    )
    parser.add_argument(
        "--controller-name",
        metavar="NAME",
        help=f"Service of the controller; default: {', then '.join(SERVICE_NAMES)}",
    )


def run(options: argparse.Namespace) -> int:
    """Fetch or check."""
    return _fetch(options) if options.action == "fetch" else _check(options)


def _fetch(options: argparse.Namespace) -> int:
    pem, source = _get(options)
    certificate = _choose(pem, source, options.sha256)
    if options.output:
        write_files([File(Path(options.output), certificate.pem, parents=0o777)])
    else:
        give(certificate.pem)
    say(f"{source}: {_describe(certificate)}", stderr=True)
    return 0


def _check(options: argparse.Namespace) -> int:
    pem = read_file(Path(options.file), name=options.file, key="")
    certificate = _choose(pem, options.file, options.sha256)
    say(f"{options.file}: {_describe(certificate)}")
    if options.cluster or options.url:
        pem, source = _get(options)
        theirs = _choose(pem, source, None)
        if theirs.fingerprint != certificate.fingerprint:
            raise CheckError(
                "certificate-differs",
                "the controller seals with another certificate by now",
                where=options.file,
                expected=theirs.fingerprint,
                found=certificate.fingerprint,
                remedy="krmfn cert fetch; the old one keeps working until its key is deleted",
            )
        say(f"{source}: the same")
    return 0


def _get(options: argparse.Namespace) -> tuple[bytes, str]:
    if options.url:
        try:
            return fetch_url(options.url, Deadline.from_environment(options.start)), options.url
        except KrmfnError as error:
            error.key = "--url"
            raise
    names = (options.controller_name,) if options.controller_name else SERVICE_NAMES
    return fetch_certificate(
        context=options.context, namespace=options.controller_namespace, names=names
    )


def _choose(pem: bytes, source: str, pin: str | None) -> SealingCertificate:
    try:
        return choose(pem, datetime.now(UTC), pin=pin)
    except SealingError as error:
        raise error.at(source=source) from None


def _describe(certificate: SealingCertificate) -> str:
    bits = certificate.modulus.bit_length()
    return f"RSA {bits}, until {certificate.not_after:%Y-%m-%d}, {certificate.fingerprint}"
