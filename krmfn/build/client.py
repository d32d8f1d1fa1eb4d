"""The only program that kustomize starts in a build: asks krmfn over an inherited descriptor.

Its text is a plugin behind ``#!python -IS``: it imports nothing of krmfn and holds no credential. The
other end is `krmfn.build.serve`. Whatever fails is exit code 1 without a word: krmfn knows why.
"""

import os
import sys

CHANNEL = "KRMFN_CHANNEL"  # the variable with the descriptor's number
SIZE, CHUNK = 8, 1 << 20  # bytes of a length, big-endian; of one read


def write(descriptor: int, content: bytes) -> None:
    """Write all of it."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view[:CHUNK]) :]


def read(descriptor: int, size: int = -1) -> bytes:
    """Read so many bytes, or up to the end."""
    content = bytearray()
    while len(content) != size:
        part = os.read(descriptor, CHUNK if size < 0 else min(CHUNK, size - len(content)))
        if not part and size >= 0:
            raise EOFError
        if not part:
            break
        content += part
    return bytes(content)


def call() -> int:
    """Send directory, config and items; get exit code and output; confirm, and print the output."""
    channel, own = int(os.environ[CHANNEL]), os.getpid().to_bytes(SIZE, "big")
    with open(sys.argv[1], "rb") as file:  # noqa: PTH123  # pathlib takes as long as all the rest
        parts = [os.fsencode(os.getcwd()), file.read(), read(0)]  # noqa: PTH109
    write(channel, own + b"".join(len(part).to_bytes(SIZE, "big") + part for part in parts))
    code = read(channel, 1)[0]
    output = read(channel, int.from_bytes(read(channel, SIZE), "big"))
    write(channel, own)
    write(1, output)
    return code


if __name__ == "__main__":
    try:
        os._exit(call())
    except BaseException:  # noqa: BLE001  # no traceback, whatever it is
        os._exit(1)
