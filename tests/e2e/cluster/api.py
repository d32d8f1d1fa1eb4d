"""Calls of a Kubernetes API, with an administrator's certificate and with kubectl."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KUBECTL = Path(sys.executable).parent / "kubectl"
SYSTEM = ("kube-system", "kube-public", "kube-node-lease", "default")
BOOKKEEPING = ("events", "componentstatuses", "leases", "ipaddresses")

Found = tuple[str, str, str]  # resource, namespace, name


@dataclass(frozen=True)
class Api:
    """A running API server; `home` has the files of `certificates.write_all`."""

    address: str
    home: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.home / "admin.kubeconfig"

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON, or its text where it is none.

        Raises:
            urllib.error.HTTPError: any status that is no success.
        """
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        call = urllib.request.Request(
            f"{self.address}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": kind},
        )
        context = ssl.create_default_context(cafile=str(self.home / "ca.crt"))
        context.load_cert_chain(self.home / "admin.crt", self.home / "admin.key")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(call, timeout=30) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    def get(self, path: str) -> Any:
        """An object, or nothing where there is none."""
        try:
            return self.request("GET", path)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise

    def kubectl(
        self, *arguments: str | Path, stdin: str = "", kubeconfig: Path | None = None
    ) -> str:
        """Standard output of a kubectl that must succeed, as administrator if not otherwise said."""
        done = subprocess.run(
            [KUBECTL, "--kubeconfig", kubeconfig or self.kubeconfig, *arguments],
            input=stdin,
            env={"HOME": str(self.home)},
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, *objects: Any) -> None:
        """`kubectl apply`; it fails on a kind that the cluster does not know."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def resources(self) -> dict[str, tuple[str, str]]:
        """Every resource that can be listed: its path to the kind and the group's version."""
        found = {}
        groups = [group["preferredVersion"] for group in self.request("GET", "/apis")["groups"]]
        for version in ["v1", *(group["groupVersion"] for group in groups)]:
            base = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for one in self.request("GET", base)["resources"]:
                if "list" in one["verbs"]:
                    found[f"{base}/{one['name']}"] = (version, one["kind"])
        return found

    def everything(self) -> set[Found]:
        """What is there, of every kind, but for Kubernetes' own bookkeeping and namespaces."""
        found = set()
        for resource in self.resources():
            if resource.rpartition("/")[2] in BOOKKEEPING:
                continue
            for one in self.request("GET", resource)["items"]:
                metadata = one["metadata"]
                if metadata.get("namespace") not in SYSTEM:
                    found.add((resource, metadata.get("namespace", ""), metadata["name"]))
        return found

    def found(self, objects: list[Any]) -> set[Found]:
        """How `everything` names these objects."""
        paths = {kind: path for path, kind in self.resources().items()}
        return {
            (
                paths[one["apiVersion"], one["kind"]],
                one["metadata"].get("namespace", ""),
                one["metadata"]["name"],
            )
            for one in objects
        }

    def delete(self, one: Found) -> None:
        """Delete one object, if it is there."""
        resource, namespace, name = one
        try:
            self.request("DELETE", address(resource, namespace, name))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise

    def write_kubeconfig(self, path: Path, user: dict[str, str]) -> None:
        """A kubeconfig with one context, in a file for its owner."""
        named = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "cluster",
            "clusters": [
                {
                    "name": "cluster",
                    "cluster": {
                        "server": self.address,
                        "certificate-authority": str(self.home / "ca.crt"),
                    },
                }
            ],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "user"}}],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(named))


def address(resource: str, namespace: str, name: str) -> str:
    """The path of one object, from its resource's as `Api.resources` has it."""
    if not namespace:
        return f"{resource}/{name}"
    base, _, plural = resource.rpartition("/")
    return f"{base}/namespaces/{namespace}/{plural}/{name}"
