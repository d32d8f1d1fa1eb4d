"""The other end of kustomize's client (`krmfn.build.client`): calls over one descriptor.

Rules enforced here: one call at a time, and nothing else on the descriptor; after a failure no call is
answered; a failure is kept as it was raised here, whatever kustomize makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from krmfn.build.client import CHUNK, SIZE
from krmfn.errors import Failure, SpecError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from krmfn.deadline import Deadline


class Server:
    """Answers the calls of one run.

    Args:
        answer: what a call prints, from its directory, its configuration and its items.

    Attributes:
        failure: why the run failed, where it was a call that did.
    """

    def __init__(self, answer: Callable[[bytes, bytes, bytes], str], deadline: Deadline) -> None:
        self._answer = answer
        self._deadline = deadline
        self.failure: Failure | None = None

    def serve(self, channel: socket.socket) -> None:
        """Answer until the other end is closed.

        Raises:
            DeadlineError: the time is up.
            SpecError: what comes is no call, or comes during another call.
        """
        while first := self._receive(channel, 1, may_end=True):
            own = first + self._receive(channel, SIZE - 1)
            code, output = self._called(*(self._part(channel) for _ in range(3)))
            channel.settimeout(self._deadline.left())
            channel.sendall(code + len(output).to_bytes(SIZE, "big") + output)
            if self._receive(channel, SIZE) != own:
                raise SpecError("kustomize", "kustomize calls krmfn twice at once")

    def _called(self, directory: bytes, stub: bytes, items: bytes) -> tuple[bytes, bytes]:
        """Return exit code and output of one call."""
        try:
            if self.failure is not None:
                raise self.failure
            return b"\0", self._answer(directory, stub, items).encode()
        except Failure as failure:
            self.failure = self.failure or failure
            return b"\1", b""

    def _part(self, channel: socket.socket) -> bytes:
        return self._receive(channel, int.from_bytes(self._receive(channel, SIZE), "big"))

    def _receive(self, channel: socket.socket, size: int, *, may_end: bool = False) -> bytes:
        """Receive exactly so many bytes; none at an allowed end."""
        content = bytearray()
        while len(content) < size:
            channel.settimeout(self._deadline.left())
            try:
                part = channel.recv(min(CHUNK, size - len(content)))
            except TimeoutError:
                raise self._deadline.error() from None
            if not part and may_end and not content:
                return b""
            if not part:
                raise SpecError("kustomize", "kustomize broke a call off")
            content += part
        return bytes(content)
