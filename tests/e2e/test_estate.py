"""The estate under every kustomize, with krmfn as an exec function."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.tools import KUSTOMIZE_VERSIONS, tool
from tests.support import estate
from tests.support.estate import ESTATE, OVERLAYS

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("version", KUSTOMIZE_VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_overlay(
    version: str, overlay: str, plugins: dict[str, str], openbao: OpenBao
) -> None:
    """Each overlay gives the golden bytes, with `audit: error` in every one."""
    estate.seed(openbao)
    flags = ("--enable-alpha-plugins", "--enable-exec")
    done = subprocess.run(
        [tool("kustomize", version), "build", *flags, ESTATE / f"overlays/{overlay}"],
        env=plugins | openbao.environ,
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ESTATE / f"expected/{overlay}.yaml").read_text()
