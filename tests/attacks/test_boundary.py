"""Under a policy an author's repository makes kustomize fetch nothing and read nothing outside of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.boundaries import ATTACKS, OUTSIDE, OWN, prepare
from tests.support.platform import write_platform
from tests.support.trap import trap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.served import Served
    from tests.support.trap import Trap

KUBECTL = Path(sys.executable).parent / "kubectl"


@pytest.fixture(scope="module")
def inside() -> Iterator[Trap]:
    """A server that only the platform may speak to."""
    with trap() as server:
        yield server


@pytest.fixture
def krmfn(server: Served) -> Served:
    """krmfn without its start: here are many short calls."""
    return server


def environment(tmp_path: Path) -> dict[str, str]:
    """The platform's environment."""
    policy = write_platform(tmp_path / "platform/p.yaml")
    return {**policy, "KRMFN_KUSTOMIZE": str(KUBECTL), "TMPDIR": str(tmp_path)}


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused(name: str, tmp_path: Path, inside: Trap, krmfn: Served) -> None:
    """With a reason, and exit code 2; no server is asked, and nothing from outside is printed."""
    place = prepare(tmp_path, inside.address)
    ATTACKS[name](place)
    done = krmfn.run("krmfn", "build", place.overlay, environ=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("[error] ")
    assert OUTSIDE not in done.stderr
    assert inside.came == []


def test_the_same_repository_is_built(tmp_path: Path, inside: Trap, krmfn: Served) -> None:
    """Without an attack, so that being refused means something."""
    place = prepare(tmp_path, inside.address)
    (place.overlay / "kustomization.yaml").write_text("resources: [own.yaml]\n")
    done = krmfn.run("krmfn", "build", place.overlay, environ=environment(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == OWN.splitlines()[0]


@pytest.mark.parametrize("field", ["resources", "components", "transformers", "re\u017fources"])
@pytest.mark.parametrize("way", ["cwd", "root", "task", "descriptor"])
def test_another_build_is_not_read(
    way: str, field: str, tmp_path: Path, inside: Trap, krmfn: Served
) -> None:
    """A private folder of a build that runs at the same time, by /proc and its process."""
    place = prepare(tmp_path, inside.address)
    descriptor = os.open(place.outside, os.O_RDONLY)
    with subprocess.Popen(["sleep", "60"], cwd=place.outside, stdin=descriptor) as other:
        os.close(descriptor)
        process = f"/proc/{other.pid}"
        named = {
            "cwd": f"{process}/cwd",
            "root": f"{process}/root{place.outside}",
            "task": f"{process}/task/{other.pid}/cwd",
            "descriptor": f"{process}/fd/0",
        }[way]
        dots = "../" * len(place.overlay.parts)
        for path in (named, f"{dots}{named[1:]}"):
            value = {"resources": ["own.yaml"], field: [path]}
            text = json.dumps(value, ensure_ascii=False)
            (place.overlay / "kustomization.yaml").write_text(text)
            done = krmfn.run("krmfn", "build", place.overlay, environ=environment(tmp_path))
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            assert OUTSIDE not in done.stderr
        other.kill()


def _loop(overlay: Path) -> str:
    (overlay / "loop").symlink_to("loop")
    return "loop"


def _link_before_dots(overlay: Path) -> str:
    (overlay.parent / "beside").mkdir()
    (overlay / "l").symlink_to("../beside")
    return "l/../own.yaml"


ODD = {
    "a zero byte": lambda _: "a\0b",
    "a long name": lambda _: "a" * 5000,
    "many steps": lambda _: "a/" * 3000 + "x.yaml",
    "no directory before dots": lambda _: "nothing/../x.yaml",
    "a link before dots": _link_before_dots,
    "a loop of links": _loop,
    "a line break": lambda _: "a\nb",
    "an escape sequence": lambda _: "a\x1b[0mb",
    "half a character": lambda _: "a\\udc80b",
    "nothing": lambda _: "",
    "a blank": lambda _: " ",
    "a dot": lambda _: ".",
    "the root": lambda _: "/",
    "a device": lambda _: "/dev/zero",
}


@pytest.mark.parametrize("field", ["resources", "transformers", "configurations"])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_name(name: str, field: str, tmp_path: Path, inside: Trap, krmfn: Served) -> None:
    """It is refused by one line, or built, and never an internal error."""
    place = prepare(tmp_path, inside.address)
    named = ODD[name](place.overlay)
    value = {"resources": ["own.yaml"]} | {field: [named]}
    (place.overlay / "kustomization.yaml").write_text(json.dumps(value).replace("\\\\u", "\\u"))
    done = krmfn.run("krmfn", "build", place.overlay, environ=environment(tmp_path))
    assert done.returncode in (0, 2), done.stderr
    if done.returncode:
        assert done.stdout == ""
        assert done.stderr.startswith("[error] ")
        assert done.stderr.count("\n") == 1
    else:
        assert "name: own" in done.stdout
