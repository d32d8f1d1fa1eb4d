"""As much of an API server as lists SealedSecrets, one page for each, and gives what it is told to."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class ApiServer:
    """What it holds, and how it is reached.

    Attributes:
        namespaces: the SealedSecrets of each.
        status: of every answer, when it is not 200.
        asked: the paths, in order.
        objects: what else a path gives: text as it is, anything else as JSON.
        verdicts: the statuses of POSTs, in order; then 200.
        posted: path and body of each POST.
        anonymous: nobody needs the token, as kubectl sends none where there is no TLS.
    """

    environ: dict[str, str] = field(default_factory=dict)
    namespaces: dict[str, list[Any]] = field(default_factory=dict)
    status: int = 200
    asked: list[str] = field(default_factory=list)
    objects: dict[str, Any] = field(default_factory=dict)
    verdicts: list[int] = field(default_factory=list)
    posted: list[tuple[str, Any]] = field(default_factory=list)
    anonymous: bool = False

    def deploy(self, *objects: Any) -> None:
        """Hold these as the API server would: it adds metadata, and a list says no kind."""
        self.namespaces = {}
        for value in objects:
            metadata = {**value["metadata"], "uid": "1", "resourceVersion": "2"}
            stored = {"metadata": metadata, "spec": value["spec"], "status": {}}
            self.namespaces.setdefault(metadata["namespace"], []).append(stored)

    def answer(self, path: str, token: str) -> tuple[int, Any]:
        """Status and body of a GET."""
        place = urlsplit(path)
        self.asked.append(place.path)
        before, _, namespace = place.path.removesuffix("/sealedsecrets").rpartition("/")
        if token != "Bearer letmein" and not self.anonymous:
            return 401, {}
        if place.path in self.objects:
            return 200, self.objects[place.path]
        if self.status != 200 or before != "/apis/bitnami.com/v1alpha1/namespaces":
            return self.status if self.status != 200 else 404, {}
        items = self.namespaces.get(namespace, [])
        number = int(parse_qs(place.query).get("continue", ["0"])[0])
        more = {"continue": str(number + 1)} if number + 1 < len(items) else {}
        listed = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecretList"}
        return 200, {**listed, "metadata": more, "items": items[number : number + 1]}


@contextlib.contextmanager
def running(directory: Path) -> Iterator[ApiServer]:
    """One on loopback, with a kubeconfig in ``directory``."""
    api = ApiServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*api.answer(self.path, self.headers["Authorization"]))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            api.posted.append((self.path, json.loads(content)))
            self._send(api.verdicts.pop(0) if api.verdicts else 200, {})

        def _send(self, status: int, value: Any) -> None:
            body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {"token": "letmein"}}],
    }
    (directory / "kubeconfig").write_text(json.dumps(config))
    api.environ = {"KUBECONFIG": str(directory / "kubeconfig")}
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
