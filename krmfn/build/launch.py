"""Give up power, then become kustomize.

    python -IS launch.py NAME=VALUE… -- PROGRAM ARGUMENT…

A process of its own and not a function that runs between fork and exec, which may lock up where
threads are. It imports nothing of krmfn: what is given up, it gives up for kustomize and all of its
children. Nothing here needs a privilege, and no privilege gives it back.

Names, all optional; ``read`` and ``write`` can be repeated:
    parent       process id: end when that process ends
    data, file   bytes of memory, and of any one file that is written
    cpu          seconds
    filter       ``required``: exit 125 where there is no system-call filter
    read, write  files and directories; where the kernel has Landlock, nothing else can be opened

Without a program, it prints which of ``seccomp`` and ``landlock`` it had. Exit codes of its own: 125
if power is left that should be gone, 126 if the program does not run; each with one line.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys

CANNOT_CONFINE, CANNOT_RUN = 125, 126
SIGKILL = 9

# <linux/prctl.h>, <linux/seccomp.h>
SET_PDEATHSIG, SET_SECCOMP, SET_NO_NEW_PRIVS = 1, 22, 38
MODE_FILTER = 2
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
# <linux/bpf_common.h>: one instruction has a code, two jumps and a value.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# struct seccomp_data: where number, architecture and the low half of the first argument are.
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16
X32 = 0x40000000
EPERM, ENOSYS = 1, 38
NEW_NAMESPACES = 0x7E020000

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
# System call -> its number on x86-64 and on arm64.
REFUSED = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
# Programs that miss these use older calls, which the filter can judge.
ABSENT = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "clone3": (435, 435),
}
CLONE = (56, 220)

# <linux/landlock.h>
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1, 1 << 1, 1 << 2, 1 << 3, 1 << 14
READ = EXECUTE | READ_FILE | READ_DIR
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
# Version of Landlock -> how many rights on files it knows, its rights on ports, its rights on signals
# and abstract sockets, and the size of the structure that holds all three.
RIGHTS = {
    1: (13, 0, 0, 8),
    2: (14, 0, 0, 8),
    3: (15, 0, 0, 8),
    4: (15, 3, 0, 16),
    5: (16, 3, 0, 16),
    6: (16, 3, 3, 24),
}


class Filter(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


class LaunchSettings:
    """The arguments before ``--``, and the command behind it."""

    def __init__(self, arguments: list[str]) -> None:
        end = arguments.index("--") if "--" in arguments else len(arguments)
        self.command = arguments[end + 1 :]
        self._values: dict[str, list[str]] = {}
        for argument in arguments[:end]:
            name, _, value = argument.partition("=")
            self._values.setdefault(name, []).append(value)

    def all(self, name: str) -> list[str]:
        """Every value of a name."""
        return self._values.get(name, [])

    def one(self, name: str) -> str:
        """The value of a name, or an empty text."""
        return (self.all(name) or [""])[-1]


def main() -> None:
    """Read the arguments, give up power, run the program."""
    settings = LaunchSettings(sys.argv[1:])
    try:
        held = confine(settings)
    except OSError as error:
        leave(CANNOT_CONFINE, f"{error.strerror or error}")
    if settings.one("filter") == "required" and "seccomp" not in held:
        leave(CANNOT_CONFINE, "this system has no system-call filter")
    if not settings.command:
        print(*held)  # noqa: T201  # nobody else is here
        return
    try:
        os.execv(settings.command[0], settings.command)  # noqa: S606  # the purpose
    except OSError as error:
        leave(CANNOT_RUN, f"{error.strerror or error}".lower())


def leave(code: int, text: str) -> None:
    """Print one line, and exit with a code of the launcher's own."""
    sys.stderr.write(f"launch: {text}\n")
    sys.stderr.flush()
    os._exit(code)


def confine(settings: LaunchSettings) -> list[str]:
    """Drop every privilege that this system can drop.

    Returns: the names of what the kernel keeps: ``landlock``, ``seccomp``.

    Raises:
        OSError: the kernel has it and refuses it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        die_with_parent(libc, settings.one("parent"))
    limit(settings)
    held: list[str] = []
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in MACHINES or sys.maxsize < 1 << 32:
        return held
    if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return held
    if restrict_files(libc, settings.all("read"), settings.all("write")):
        held.append("landlock")
    program = filter_program(*MACHINES[machine])
    if not libc.prctl(SET_SECCOMP, MODE_FILTER, ctypes.byref(Filter(len(program) // 8, program))):
        held.append("seccomp")
    return held


def die_with_parent(libc: ctypes.CDLL, parent: str) -> None:
    """Ask the kernel to kill this process with its parent, which may already be dead."""
    libc.prctl(SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if parent and os.getppid() != int(parent):
        os._exit(CANNOT_RUN)


def limit(settings: LaunchSettings) -> None:
    """Set the limits; skip those that the system does not support."""
    limits = {
        resource.RLIMIT_CORE: "0",
        resource.RLIMIT_DATA: settings.one("data"),
        resource.RLIMIT_CPU: settings.one("cpu"),
        resource.RLIMIT_FSIZE: settings.one("file"),
    }
    for name, text in limits.items():
        if not text:
            continue
        _, most = resource.getrlimit(name)
        value = int(text) if most == resource.RLIM_INFINITY else min(int(text), most)
        try:
            resource.setrlimit(name, (value, value))
        except (OSError, ValueError):
            if sys.platform == "linux":
                raise


def filter_program(column: int, architecture: int) -> bytes:
    """Return the filter: a BPF program that decides what happens to each system call.

    Args:
        column: of the tables of numbers.
        architecture: the only one whose numbers these are; a call by another one kills.
    """
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, REFUSE | ENOSYS),
    ]
    for table, error in ((REFUSED, EPERM), (ABSENT, ENOSYS)):
        for numbers in table.values():
            program += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE | error)]
    program += [
        (EQUAL, 0, 3, CLONE[column]),
        (LOAD, 0, 0, ARGUMENT),
        (ANY_BIT, 0, 1, NEW_NAMESPACES),
        (RETURN, 0, 0, REFUSE | EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def restrict_files(libc: ctypes.CDLL, readable: list[str], writable: list[str]) -> bool:
    """Allow opening only these files, and directories with everything below them (Landlock).

    Returns: False where the kernel has no Landlock, or a container's runtime does not let it be used.

    Raises:
        OSError: a rule cannot be added, so that nothing is known of what would hold.
    """
    version = libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    count, ports, scopes, size = RIGHTS[min(version, max(RIGHTS))]
    rights = (1 << count) - 1
    rules = libc.syscall(CREATE_RULESET, struct.pack("QQQ", rights, ports, scopes), size, 0)
    if rules < 0:
        return False
    for paths, allowed in ((readable, READ), (writable, rights)):
        for path in paths:
            allow(libc, rules, path, allowed & rights)
    if libc.syscall(RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(rules)
    return True


def allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    """Add one rule; a missing path needs none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    if not os.path.isdir(path):  # noqa: PTH112  # pathlib takes longer to import than all of this
        rights &= OF_A_FILE
    rule = struct.pack("=Qi", rights, descriptor)
    if libc.syscall(ADD_RULE, rules, PATH_BENEATH, rule, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(descriptor)


if __name__ == "__main__":
    main()
