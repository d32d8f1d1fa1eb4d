"""examples/argocd, as kustomize builds it and as its script sets the vault up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from cryptography.hazmat.primitives import serialization

from tests.support.openbao import binary

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from tests.support.openbao import OpenBao

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/argocd"
KUBECTL = Path(sys.executable).parent / "kubectl"


def built() -> list[dict[str, Any]]:
    """Its objects."""
    command = [KUBECTL, "kustomize", "--load-restrictor=LoadRestrictionsNone", EXAMPLE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def set_up(bao: OpenBao, key: PublicKeyTypes, scratch: Path) -> None:
    """Let the vault believe tokens of service accounts that this key has signed."""
    keys = scratch / "keys.pem"
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    keys.write_bytes(key.public_bytes(*form))
    environ = {"PATH": os.environ["PATH"], "HOME": str(scratch), "VAULT": str(binary())}
    environ |= {"BAO_ADDR": bao.address, "BAO_TOKEN": bao.token}
    done = subprocess.run(
        [EXAMPLE / "vault/setup.sh", keys],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
