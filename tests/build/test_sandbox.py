"""How kustomize is started: which one, with what, and how its run ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from krmfn.build import sandbox
from krmfn.build.sandbox import Sandbox, find_kustomize, interpreter
from krmfn.deadline import Deadline
from krmfn.errors import DeadlineError, PolicyError, SpecError

if TYPE_CHECKING:
    import socket

LAUNCHER_ELSEWHERE = (
    Path(__file__).resolve().parents[1] / "support/spy/without_filter/launch_elsewhere.py"
)
KUBECTL = Path(sys.executable).parent / "kubectl"
# Sends a byte, and prints the answer.
CLIENT = """\
import os, sys
channel = int(os.environ["KRMFN_CHANNEL"])
os.write(channel, b"?")
sys.stdout.buffer.write(os.read(channel, 1000))
"""
GENERATOR = """\
apiVersion: krmfn.dev/v1alpha1
kind: SealedSecretGenerator
metadata: {name: x}
"""
CONFIG_MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\n"


def prepared(
    tmp_path: Path,
    program: str = "",
    *,
    client: str = CLIENT,
    seconds: float = 60,
    **fields: object,
) -> Sandbox:
    """A sandbox around kubectl, or around a program of Python code in kustomize's place."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (tmp_path / "client.py").write_text(client)
    command = (str(KUBECTL), "kustomize")
    if program:
        # The interpreter itself is the program; the code stands where it may read.
        (home / "program.py").write_text(textwrap.dedent(program))
        command = (interpreter(), "-IS", str(home / "program.py"))
    made = Sandbox(
        command,
        home,
        Deadline(seconds),
        {str(home / "tree"): "/repository"},
        client=tmp_path / "client.py",
        **fields,
    )
    made.prepare()
    return made


def tree(made: Sandbox, **files: str) -> Path:
    """A directory to build, inside of the sandbox."""
    place = made.home / "tree"
    place.mkdir()
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text)
    return place


def program(place: Path) -> Path:
    """An executable file."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return place


def test_which_kustomize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one of the repository, by whatever way PATH leads there, nor one of a relative entry."""
    root = tmp_path / "repository"
    inside = program(root / "bin/kustomize")
    outside = program(tmp_path / "bin/kubectl")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/kustomize").symlink_to(inside)
    (tmp_path / "link").symlink_to(inside.parent)
    (root / "linked").symlink_to(outside.parent)
    monkeypatch.chdir(inside.parent)
    entries = [inside.parent, tmp_path / "link", tmp_path / "links", "", ".", "../bin"]
    entries += [root / "linked", tmp_path / "bin/../repository/bin"]
    path = ":".join(map(str, entries))
    with pytest.raises(SpecError, match="no kustomize to build with"):
        find_kustomize({"PATH": path}, root)
    found = find_kustomize({"PATH": f"{path}:{outside.parent}"}, root)
    assert found == (str(outside), "kustomize")
    # The same entry is another one's outside.
    assert find_kustomize({"PATH": path}, tmp_path / "other") == (str(inside), "build")
    for named in (str(inside), "kustomize", "./kustomize", str(tmp_path / "links/kustomize")):
        with pytest.raises(SpecError, match="is not a program outside the repository"):
            find_kustomize({"PATH": path, "KRMFN_KUSTOMIZE": named}, root)
    named = {"KRMFN_KUSTOMIZE": str(outside)}
    assert find_kustomize(named, tmp_path / "other", root) == (str(outside), "kustomize")


def test_the_environment_that_runs_krmfn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its programs are as good as the interpreter, though a repository often has it in .venv."""
    own = program(tmp_path / ".venv/bin/kustomize")
    monkeypatch.setattr(sys, "executable", str(own.with_name("python")))
    assert find_kustomize({"PATH": str(own.parent)}, tmp_path) == (str(own), "build")


def test_a_call(tmp_path: Path) -> None:
    """The client talks to this process over the one descriptor that it has."""
    made = prepared(tmp_path)
    place = tree(made, kustomization__yaml="generators: [x.yaml]\n", x__yaml=GENERATOR)
    heard: list[bytes] = []

    def answer(channel: socket.socket) -> None:
        while said := channel.recv(1):
            heard.append(said)
            channel.sendall(CONFIG_MAP)

    assert "name: made" in made.run(place, answer=answer)
    assert len(heard) == 1


def test_what_answering_raises(tmp_path: Path) -> None:
    """It ends kustomize, and comes through."""
    made = prepared(tmp_path)
    place = tree(made, kustomization__yaml="generators: [x.yaml]\n", x__yaml=GENERATOR)

    def answer(channel: socket.socket) -> None:
        channel.recv(1)
        raise SpecError("spec", "no")

    with pytest.raises(SpecError, match=r"no \[spec\]"):
        made.run(place, answer=answer)


def test_no_plugin_without_an_answer(tmp_path: Path) -> None:
    """kustomize then starts nothing at all."""
    made = prepared(tmp_path)
    place = tree(made, kustomization__yaml="generators: [x.yaml]\n", x__yaml=GENERATOR)
    with pytest.raises(SpecError, match="external plugins disabled"):
        made.run(place)


@pytest.mark.parametrize("name", ["with blanks", "l" * 120])
def test_an_interpreter_that_a_script_cannot_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A link beside the client stands for it; no shell does."""
    place = tmp_path / name
    place.mkdir()
    (place / "python").symlink_to(interpreter())
    monkeypatch.setattr(sandbox, "interpreter", lambda: str(place / "python"))
    test_a_call(tmp_path)
    assert (tmp_path / "home/client").read_text().startswith(f"#!{tmp_path}/home/python -IS\n")


def test_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment, a session and descriptors of its own; its folder leads to no private one."""
    monkeypatch.setenv("VAULT_TOKEN", "hvs.x")
    code = """
    import os
    print(sorted(os.environ), os.getcwd(), os.listdir(os.environ["PATH"]), os.getsid(0) == os.getpid())
    for n in range(3, 200):
        try: os.fstat(n)
        except OSError: continue
        print("descriptor", n)
    """
    made = prepared(tmp_path, code)
    text = made.run(made.home)
    assert "VAULT_TOKEN" not in text
    names = re.findall(r"'([A-Z_]+)'", text)
    assert set(names) == {
        "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK", "HOME", "KUSTOMIZE_PLUGIN_HOME", "LC_ALL", "PATH",
        "TMPDIR", "TZ", "XDG_CONFIG_HOME",
    }  # fmt: skip
    assert "] / [] True" in text
    assert "descriptor" not in text


def test_too_much_output(tmp_path: Path) -> None:
    """A stream ends at its limit, in one line; so does one that ignores that."""
    line = "kustomize prints more than 1 MiB; build less in one overlay [build-limit]"
    made = prepared(tmp_path, "print('x' * (2 << 20))", stream_bytes=1 << 20)
    with pytest.raises(SpecError) as caught:
        made.run(made.home)
    assert caught.value.line() == line


def test_too_many_messages(tmp_path: Path) -> None:
    """Only their beginning is looked at, and it is one line."""
    made = prepared(
        tmp_path, "import sys; sys.stderr.write('[error] a' * 40000 + '\\nx [spec]'); sys.exit(1)"
    )
    with pytest.raises(SpecError) as caught:
        made.run(made.home)
    assert caught.value.id == "kustomize"
    assert len(caught.value.line()) < 2500


def test_out_of_memory(tmp_path: Path) -> None:
    """Go's dump is one line; what it says is the limit."""
    code = """
    import os, sys
    sys.stderr.write("fatal error: runtime: out of memory\\n\\nruntime stack:\\n" + "x\\n" * 99)
    sys.exit(2)
    """
    made = prepared(tmp_path, code)
    with pytest.raises(SpecError) as caught:
        made.run(made.home)
    assert caught.value.line() == (
        "kustomize needs more than 384 MiB of memory; build less in one overlay [build-limit]"
    )


@pytest.mark.slow
def test_a_real_memory_bomb(tmp_path: Path) -> None:
    """kustomize itself, with a file that many generators hold."""
    made = prepared(tmp_path, stream_bytes=1 << 30)
    generators = "".join(f"- {{name: m{n}, files: [big]}}\n" for n in range(100))
    place = tree(made, kustomization__yaml=f"configMapGenerator:\n{generators}")
    (place / "big").write_bytes(b"a: b\n" * ((14 << 20) // 5))
    with pytest.raises(SpecError) as caught:
        made.run(place)
    assert caught.value.id == "build-limit"


def test_a_program_that_does_not_run(tmp_path: Path) -> None:
    """A script that starts kustomize needs what is not there for it."""
    made = prepared(tmp_path)
    script = program(tmp_path / "kustomize")
    made = Sandbox((str(script), "build"), made.home, made.deadline, {}, client=made.client)
    with pytest.raises(SpecError) as caught:
        made.run(made.home)
    assert caught.value.line() == (
        f"{script} does not run: permission denied; name kustomize itself in KRMFN_KUSTOMIZE, not a "
        "script that starts it [kustomize]"
    )


def test_a_system_without_the_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused where that is required, and goes on elsewhere."""
    monkeypatch.setattr(sandbox, "LAUNCHER", LAUNCHER_ELSEWHERE)
    made = prepared(tmp_path, "print(1)", required=True)
    with pytest.raises(PolicyError) as caught:
        made.run(made.home)
    assert caught.value.line() == (
        "kustomize cannot be confined: this system has no system-call filter; build on Linux, or set "
        "`sandbox: best-effort` in the PlatformConfig [sandbox]"
    )
    free = Sandbox(made.command, made.home, made.deadline, {}, client=made.client)
    assert free.run(made.home) == "1\n"
    assert sandbox.confinement() == ()


def test_the_deadline(tmp_path: Path) -> None:
    """It ends kustomize, whether anything is answered meanwhile or not."""
    made = prepared(tmp_path, "import time; time.sleep(9999)", seconds=1)
    with pytest.raises(DeadlineError):
        made.run(made.home, answer=lambda channel: channel.recv(1) and None)


WAITING = """\
import os, sys
from pathlib import Path
from krmfn.build.sandbox import Sandbox, interpreter
from krmfn.deadline import Deadline
home = Path(sys.argv[1])
(home / "program.py").write_text(
    "import os, time; os.write(int(os.environ['KRMFN_CHANNEL']), b'%d' % os.getpid()); time.sleep(60)"
)
made = Sandbox((interpreter(), "-IS", str(home / "program.py")), home, Deadline(60), {})
made.prepare()
def answer(channel):
    print(channel.recv(100).decode(), flush=True)
    channel.recv(1)
made.run(home, answer=answer)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has the signal")
@pytest.mark.process
def test_it_dies_with_krmfn(tmp_path: Path) -> None:
    """Who kills krmfn alone, as Argo CD does, leaves no kustomize behind."""
    with subprocess.Popen(
        [sys.executable, "-c", WAITING, tmp_path], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}/cmdline").read_bytes()
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text():
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("it lives on")
