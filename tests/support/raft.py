"""A real cluster of three OpenBao nodes (raft) on loopback: one active, two standbys that also read."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
import urllib.error
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.openbao import OpenBao, free_port, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60


@dataclass
class Cluster:
    """The nodes, the active one first."""

    nodes: list[OpenBao]

    @property
    def active(self) -> OpenBao:
        """The node that writes."""
        return self.nodes[0]

    @property
    def standbys(self) -> list[OpenBao]:
        """The nodes that follow it."""
        return self.nodes[1:]


@contextlib.contextmanager
def cluster(home: Path) -> Iterator[Cluster]:
    """Three nodes, initialised, joined and unsealed."""
    ports = [(free_port(), free_port()) for _ in range(3)]
    addresses = [f"http://127.0.0.1:{api}" for api, _ in ports]
    with contextlib.ExitStack() as stack:
        nodes = []
        for number, (api, inner) in enumerate(ports):
            directory = home / f"node{number}"
            (directory / "data").mkdir(parents=True)
            raft: dict[str, Any] = {"path": str(directory / "data"), "node_id": f"node{number}"}
            if number:
                raft["retry_join"] = {"leader_api_addr": addresses[0]}
            config = {
                "storage": {"raft": raft},
                "listener": {
                    "tcp": {
                        "address": f"127.0.0.1:{api}",
                        "cluster_address": f"127.0.0.1:{inner}",
                        "tls_disable": True,
                    }
                },
                "api_addr": addresses[number],
                "cluster_addr": f"https://127.0.0.1:{inner}",
                "disable_mlock": True,
            }
            file = directory / "bao.json"
            file.write_text(json.dumps(config))
            environ = {"HOME": str(directory)}
            server = stack.enter_context(running("-config", str(file), environ=environ))
            nodes.append(OpenBao(addresses[number], ""))
            wait(nodes[-1], server, lambda state: True)
            if not number:
                body = {"secret_shares": 1, "secret_threshold": 1}
                keys = nodes[0].request("PUT", "sys/init", body)
            unseal(nodes[-1], server, keys["keys"][0])
        for node in nodes:
            node.token = keys["root_token"]
            node.__post_init__()
        follow(nodes)
        yield Cluster(nodes)


def unseal(node: OpenBao, server: subprocess.Popen[bytes], key: str) -> None:
    """Until the node is unsealed, which for a standby needs it to have joined."""
    wait(node, server, lambda state: state["initialized"])
    for _ in range(SECONDS * 10):
        with contextlib.suppress(urllib.error.HTTPError):
            if not node.request("PUT", "sys/unseal", {"key": key})["sealed"]:
                return
        time.sleep(0.1)
    raise AssertionError("a node stays sealed")


def wait(node: OpenBao, server: subprocess.Popen[bytes], good: Any) -> None:
    """Until the node's state is good."""
    for _ in range(SECONDS * 10):
        assert server.poll() is None, "a node did not start"
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if good(node.request("GET", "sys/seal-status")):
                return
        time.sleep(0.1)
    raise AssertionError("a node did not answer")


def follow(nodes: list[OpenBao]) -> None:
    """Until there is a leader, it is the first, and the others know it."""
    for _ in range(SECONDS * 10):
        with contextlib.suppress(urllib.error.HTTPError):
            found = [node.request("GET", "sys/leader") for node in nodes]
            leaders = [one.get("leader_address") for one in found]
            if found[0]["is_self"] and leaders == [nodes[0].address] * len(nodes):
                return
        time.sleep(0.1)
    raise AssertionError("the cluster has no leader")


@contextlib.contextmanager
def balancer(nodes: list[OpenBao]) -> Iterator[OpenBao]:
    """One address for all nodes: each connection goes to the next one."""
    turns = itertools.cycle(int(node.address.rpartition(":")[2]) for node in nodes)

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(listening: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as open_:
            while True:
                client = open_.enter_context(listening.accept()[0])
                node = open_.enter_context(socket.create_connection(("127.0.0.1", next(turns))))
                for ends in ((client, node), (node, client)):
                    threading.Thread(target=pass_on, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield OpenBao(f"http://127.0.0.1:{listening.getsockname()[1]}", nodes[0].token)
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
