"""What a program that the launcher runs can no longer do, as any user."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from krmfn.build import launch
from krmfn.build.sandbox import LAUNCHER, LIBRARIES, interpreter, python_files

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has these")


def launched(code: str, *settings: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Python code, run as kustomize is."""
    files = [f"read={path}" for path in (*python_files(), *LIBRARIES)]
    return subprocess.run(
        [interpreter(), "-IS", LAUNCHER, *files, *settings, "--", interpreter(), "-IS", "-c", code],
        env={"LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
        **options,
    )


REFUSED = {
    "socket": "import socket; socket.socket()",
    "a socket of the system": "import socket; socket.socket(socket.AF_UNIX)",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "vsock": "import socket; socket.socket(socket.AF_VSOCK)",
    "socketpair": "import socket; socket.socketpair()",
    "ptrace": "call(101, 117, 0)",
    "process_vm_readv": "call(310, 270, os.getpid(), 0, 0, 0, 0, 0)",
    "process_vm_writev": "call(311, 271, os.getpid(), 0, 0, 0, 0, 0)",
    "unshare": "call(272, 97, 0x10000000)",
    "a new user namespace": "call(56, 220, 0x10000000 | 17, 0, 0, 0, 0)",
    "setns": "call(308, 268, 0, 0)",
    "mount": "call(165, 40, 0, 0, 0, 0, 0)",
    "memory files": "os.memfd_create('x')",
    "bpf": "call(321, 280, 0, 0, 0)",
}
ABSENT = {
    "io_uring": "call(425, 425, 1, 0)",
    "clone3": "call(435, 435, 0, 0)",
}
CALL = """
import ctypes, os
def call(x86, arm, *args):
    number = x86 if os.uname().machine == 'x86_64' else arm
    if ctypes.CDLL(None, use_errno=True).syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), '')
"""
CATCH = """
try:
    {}
except OSError as error:
    print(error.errno)
else:
    print('done')
"""


@LINUX
@pytest.mark.parametrize(
    ("code", "errno"),
    [(code, 1) for code in REFUSED.values()] + [(code, 38) for code in ABSENT.values()],
    ids=[*REFUSED, *ABSENT],
)
def test_a_call_that_is_refused(code: str, errno: int) -> None:
    """By its number and, where that decides, by its flags; without the launcher most of them work."""
    done = launched(CALL + CATCH.format(code))
    assert (done.stdout, done.stderr) == (f"{errno}\n", "")


@LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become nobody")
def test_without_any_privilege() -> None:
    """Nothing of it needs a right that a sidecar does not have."""
    anybodys = "/usr/bin/python3"
    if not Path(anybodys).exists():
        pytest.skip("the system has no Python that everybody can start")
    code = CALL + CATCH.format(REFUSED["socket"])
    settings = ["filter=required", "read=/usr", "read=/lib", "read=/lib64"]
    command = [anybodys, "-IS", "-", *settings, "--", anybodys, "-IS", "-c", code]
    done = subprocess.run(
        command, input=LAUNCHER.read_text(), capture_output=True, check=False, text=True, user=65534
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="x86-64 has other numbers beside its own"
)
def test_other_numbers() -> None:
    """x32's calls are not there, and a call as i386 has it kills."""
    done = launched(CALL + CATCH.format("call(0x40000000 + 41, 0, 2, 1, 0)"))
    assert done.stdout == "38\n"
    # mov eax, 20 (getpid); int 0x80; ret
    code = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex('b814000000cd80c3'))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
print('done')
"""
    done = launched(code)
    assert (done.returncode, done.stdout) == (-31, "")


def test_every_number_is_a_call_of_its_own() -> None:
    """No number appears twice, so that no name has another one's."""
    for column in (0, 1):
        numbers = [n[column] for table in (launch.REFUSED, launch.ABSENT) for n in table.values()]
        assert len(set(numbers)) == len(numbers)
        assert launch.CLONE[column] not in numbers


landlock = pytest.mark.skipif(
    "landlock"
    not in subprocess.run(
        [interpreter(), "-IS", LAUNCHER], capture_output=True, check=True, text=True
    ).stdout,
    reason="this kernel has no Landlock",
)


@landlock
def test_files(tmp_path: Path) -> None:
    """What is named can be read or written, and nothing else: not by a link either."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_text("inside")
    (tmp_path / "file").write_text("outside")
    (tmp_path / "in/link").symlink_to(tmp_path / "file")
    (tmp_path / "tmp").mkdir()
    settings = [f"read={tmp_path}/in", f"write={tmp_path}/tmp", "write=/dev/null"]

    def tried(code: str) -> str:
        return launched(CALL + CATCH.format(code), *settings).stdout

    place = str(tmp_path)
    assert tried(f"print(open('{place}/in/file').read())") == "inside\ndone\n"
    assert tried(f"open('{place}/tmp/new', 'w').write('x')") == "done\n"
    assert tried("open('/dev/null', 'w').write('x')") == "done\n"
    for code in (
        f"open('{place}/file')",
        f"open('{place}/in/link')",
        f"open('{place}/in/new', 'w')",
        f"open('{place}/in/file', 'a')",
        f"os.unlink('{place}/in/file')",
        f"os.truncate('{place}/in/file', 0)",
        f"os.link('{place}/in/file', '{place}/tmp/link')",
        "open('/etc/passwd')",
        "open('/proc/self/environ')",
        "os.listdir('/')",
        "os.execv('/bin/true', ['true'])",
    ):
        assert tried(code) in ("13\n", "18\n"), code


def test_limits(tmp_path: Path) -> None:
    """Memory, the size of a file, CPU time, and no core; a limit that is lower already stays."""
    code = "import resource as r; print([r.getrlimit(x)[1] for x in (r.RLIMIT_CORE, r.RLIMIT_CPU)])"
    assert launched(code, "cpu=7").stdout == "[0, 7]\n"
    resource_of_parent = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CPU, (3, 3))}
    assert launched(code, "cpu=7", **resource_of_parent).stdout == "[0, 3]\n"
    done = launched("b'x' * (300 << 20)", f"data={256 << 20}")
    assert "MemoryError" in done.stderr
    file = tmp_path / "file"
    code = f"f = open('{file}', 'wb', 0); print(f.write(b'x' * 2000)); f.write(b'x')"
    done = launched(code, "file=1000", f"write={tmp_path}")
    assert done.stdout == "1000\n"
    assert "File too large" in done.stderr
    assert file.stat().st_size == 1000


@pytest.mark.slow
def test_cpu_time() -> None:
    """What counts no wall time ends, too."""
    assert launched("while True: pass", "cpu=1").returncode == -9


def test_its_own_failures(tmp_path: Path) -> None:
    """One line and an exit code of its own."""
    command = [interpreter(), "-IS", str(LAUNCHER)]
    done = subprocess.run(
        [*command, "--", str(tmp_path / "missing")], capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (126, "launch: no such file or directory\n")
    # Where another system, or another machine, is all there is:
    other = (
        f"import os, sys, runpy; sys.argv = {[str(LAUNCHER), 'filter=required', '--', '/bin/true']}"
    )
    other += "; os.uname = lambda: type('U', (), {'machine': 'riscv64'})"
    other += f"; runpy.run_path({str(LAUNCHER)!r}, run_name='__main__')"
    done = subprocess.run([interpreter(), "-c", other], capture_output=True, check=False, text=True)
    assert done.returncode == 125
    assert done.stderr == "launch: this system has no system-call filter\n"


@LINUX
def test_a_parent_that_is_gone() -> None:
    """Whoever starts when its parent has ended already ends, too."""
    assert launched("print(1)", "parent=1").returncode == 126
    assert launched("print(1)", f"parent={os.getpid()}").stdout == "1\n"
