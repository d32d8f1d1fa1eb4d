"""A cluster to explore by hand: `make cluster`, or `make cluster ARGS=0.27.1` for the older controller.

It has a vault with the examples' values. It runs until ctrl-C, and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from pathlib import Path

from tests.e2e.cluster.examples import age_identity, seed
from tests.e2e.cluster.objects import HOME
from tests.e2e.cluster.server import running
from tests.e2e.tools import CONTROLLER_VERSIONS, KUBERNETES_VERSION, KUSTOMIZE_VERSIONS, tool
from tests.support.openbao import development

ROOT = Path(__file__).resolve().parents[3]
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HOW = """
Kubernetes {kubernetes} with the sealed-secrets controller {version}. In another shell, from here:

  . {env}

  krmfn cert fetch --controller-namespace {home}
  kubeseal --fetch-cert --controller-namespace {home}
  KRMFN_ROOT=examples/shop krmfn build examples/shop/overlays/production | kubectl apply -f -
  kubectl get sealedsecrets,secrets --all-namespaces

No pod runs here, and nothing collects garbage: docs/cluster-tests.md. Logs are in {logs}
Ctrl-C ends it, and removes all of it.
"""


def main(arguments: list[str]) -> int:
    """Start, say how to use it, wait, clean up."""
    version = arguments[0] if arguments else CONTROLLER_VERSIONS[-1]
    if version not in CONTROLLER_VERSIONS or len(arguments) > 1:
        print(
            f"one of {', '.join(CONTROLLER_VERSIONS)}, not {' '.join(arguments)}", file=sys.stderr
        )
        return 2
    for each in STOP:
        signal.signal(each, stop)
    with (
        contextlib.suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="krmfn-") as scratch,
        running(Path(scratch), version) as cluster,
        development(Path(scratch)) as bao,
    ):
        seed(bao)
        kubeconfig = {"KUBECONFIG": str(cluster.api.kubeconfig)}
        environ = bao.environ | kubeconfig | {"KRMFN_AGE_IDENTITY": age_identity()}
        env = write_environment(Path(scratch), environ, version)
        facts = {"kubernetes": KUBERNETES_VERSION, "version": version, "home": HOME}
        print(HOW.format(env=env, logs=scratch, **facts), flush=True)
        while True:
            signal.pause()
    return 0


def stop(*_: object) -> None:
    """The first signal ends the cluster; nothing interrupts that."""
    for each in STOP:
        signal.signal(each, signal.SIG_IGN)
    print("ending it", flush=True)
    raise KeyboardInterrupt


def write_environment(home: Path, environ: dict[str, str], version: str) -> Path:
    """A file to source: addresses, credentials, and PATH with the tools of these versions."""
    programs = home / "bin"
    programs.mkdir()
    (programs / "kubeseal").symlink_to(tool("kubeseal", version))
    (programs / "kustomize").symlink_to(tool("kustomize", KUSTOMIZE_VERSIONS[-1]))
    lines = [f"export {name}='{value}'" for name, value in environ.items()]
    lines.append(f"export PATH='{programs}:{ROOT / '.venv/bin'}':\"$PATH\"")
    file = home / "env"
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n")
    return file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
