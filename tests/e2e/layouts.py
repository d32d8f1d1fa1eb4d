"""Small repositories in every shape that people give them, for the matrix.

Each has a workload that uses the Secret `db`, asks krmfn for that Secret, and is built in `top`. Where
krmfn's entry stands, and what the kustomizations change after it, is what the shapes differ in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "krmfn-was-skipped-add---enable-exec"
IMAGE = "localhost/krmfn:latest"
ANNOTATIONS = {
    "legacy": "",
    "exec": "exec: {path: krmfn}",
    "container": (
        f"container: {{image: {IMAGE}, envs: [KRMFN_AGE_IDENTITY], "
        "mounts: [{type: bind, src: ., dst: /overlay}]}"
    ),
}


@dataclass(frozen=True)
class Layout:
    """One shape.

    Attributes:
        text: what the table says of it.
        entry: the folder whose kustomization lists krmfn's generator or transformer.
        folders: folder to lines of its kustomization; `top` is built.
        final: namespace and name of each SealedSecret that a good build has.
        protected: whether the outermost kustomization carries validator and marker.
        config: more lines under the metadata of krmfn's entry.
        hashed: whether the Secret's name ends in a hash of its content, which `final` leaves out.
    """

    text: str
    entry: tuple[str, ...]
    folders: dict[str, str]
    final: frozenset[tuple[str, str]]
    protected: bool = True
    config: str = ""
    hashed: bool = False


def production(name: str = "db") -> frozenset[tuple[str, str]]:
    """The one SealedSecret of most shapes."""
    return frozenset({("production", name)})


NS = "namespace: production\n"
ON_BASE = "resources: [../base]\n"
ON_INNER = "resources: [../inner]\n"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
TWO = frozenset({("production", "db"), ("staging", "db")})

LAYOUTS = {
    "overlay": Layout("entry in the overlay", ("top",), {"top": ON_BASE + NS}, production()),
    "prefix": Layout(
        "entry in an overlay with `namePrefix`",
        ("top",),
        {"top": ON_BASE + NS + "namePrefix: p-\n"},
        production("p-db"),
    ),
    "suffix": Layout(
        "entry in an overlay with `nameSuffix`",
        ("top",),
        {"top": ON_BASE + NS + "nameSuffix: -x\n"},
        production("db-x"),
    ),
    "stacked": Layout(
        "entry in an overlay with a prefix, over another with namespace, prefix and suffix",
        ("top",),
        {
            "inner": ON_BASE + "namespace: dev\nnamePrefix: i-\nnameSuffix: -j\n",
            "top": ON_INNER + NS + "namePrefix: p-\n",
        },
        production("p-i-db-j"),
    ),
    "contradiction": Layout(
        "entry in the overlay, with another `metadata.namespace`",
        ("top",),
        {"top": ON_BASE + NS},
        production(),
        config="namespace: staging",
    ),
    "no-namespace": Layout("no namespace anywhere", ("top",), {"top": ON_BASE}, production()),
    "namespace-first": Layout(
        "namespace set by a NamespaceTransformer listed before the entry",
        ("top",),
        {"top": ON_BASE + "transformers: [namespace.yaml, ENTRY]\n"},
        production(),
    ),
    "namespace-last": Layout(
        "namespace set by a NamespaceTransformer listed after the entry",
        ("top",),
        {"top": ON_BASE + "transformers: [ENTRY, namespace.yaml]\n"},
        production(),
    ),
    "base": Layout(
        "entry in the base",
        ("base",),
        {"top": ON_BASE + NS},
        production(),
    ),
    "base-namespace": Layout(
        "entry in the base, with the overlay's namespace as `metadata.namespace`",
        ("base",),
        {"top": ON_BASE + NS},
        production(),
        config="namespace: production",
    ),
    "component": Layout(
        "entry in a component",
        ("component",),
        {"component": COMPONENT, "top": ON_BASE + NS + "components: [../component]\n"},
        production(),
    ),
    "component-namespace": Layout(
        "entry in a component, with the overlay's namespace as `metadata.namespace`",
        ("component",),
        {"component": COMPONENT, "top": ON_BASE + NS + "components: [../component]\n"},
        production(),
        config="namespace: production",
    ),
    "nested": Layout(
        "entry in an overlay, another overlay above that changes nothing",
        ("inner",),
        {"inner": ON_BASE + NS, "top": ON_INNER},
        production(),
    ),
    "nested-namespace": Layout(
        "entry in an overlay, another above sets `namespace`",
        ("inner",),
        {"inner": ON_BASE + "namespace: dev\n", "top": ON_INNER + NS},
        production(),
    ),
    "nested-prefix": Layout(
        "entry in an overlay, another above sets `namePrefix`",
        ("inner",),
        {"inner": ON_BASE + NS, "top": ON_INNER + "namePrefix: p-\n"},
        production("p-db"),
    ),
    "two-inside": Layout(
        "two overlays in one build, an entry in each",
        ("staging", "production"),
        {
            "staging": ON_BASE + "namespace: staging\n",
            "production": ON_BASE + NS,
            "top": "resources: [../staging, ../production]\n",
        },
        TWO,
    ),
    "two": Layout(
        "two overlays in one build, one entry above both",
        ("top",),
        {
            "staging": ON_BASE + "namespace: staging\n",
            "production": ON_BASE + NS,
            "top": "resources: [../staging, ../production]\n",
        },
        TWO,
    ),
    "hash": Layout(
        "`nameSuffixHash`, entry in the overlay",
        ("top",),
        {"top": ON_BASE + NS},
        production(),
        hashed=True,
    ),
    "hash-stacked": Layout(
        "`nameSuffixHash`, entry in an overlay with a prefix, over another with prefix and suffix",
        ("top",),
        {
            "inner": ON_BASE + "namePrefix: i-\nnameSuffix: -j\n",
            "top": ON_INNER + NS + "namePrefix: p-\n",
        },
        production("p-i-db-j"),
        hashed=True,
    ),
    "unprotected": Layout(
        "entry in the overlay, neither validator nor marker",
        ("top",),
        {"top": ON_BASE + NS},
        production(),
        protected=False,
    ),
    "unprotected-nested": Layout(
        "entry in an overlay, another above sets `namespace`, neither validator nor marker",
        ("inner",),
        {"inner": ON_BASE + "namespace: dev\n", "top": ON_INNER + NS},
        production(),
        protected=False,
    ),
}

# Those that differ without an entry.
WITHOUT_ENTRY = ("overlay", "prefix", "suffix", "stacked", "no-namespace", "two", "hash")

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec: {template: {spec: {containers: [{name: app, envFrom: [{secretRef: {name: db}}]}]}}}
"""
CLAIM = """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {name: db}
spec:
  store: main
  dataFrom: [{extract: {key: app/db}}]
"""
NAMESPACE = """\
apiVersion: builtin
kind: NamespaceTransformer
metadata: {name: ns, namespace: production}
fieldSpecs:
- {path: metadata/namespace, create: true}
"""
DELETION = f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {MARKER}}}, $patch: delete}}"
SEALING = """\
  sealing:
    certificate: {file: cert.pem}
    derivationKey: {store: main, key: krmfn/derivation, property: key}
  stores: {main: {age: {file: secrets.age}}}
"""


def config(kind: str, mode: str, more: str = "", spec: str = "") -> str:
    """A configuration of krmfn's, to be run as ``mode`` says."""
    annotation = ANNOTATIONS[mode]
    lines = f"  annotations: {{config.kubernetes.io/function: '{annotation}'}}\n" * bool(annotation)
    lines += f"  {more}\n" * bool(more)
    head = f"apiVersion: krmfn.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: app\n{lines}"
    return head + (f"spec:\n{spec}" if spec else "")


def write(root: Path, layout: Layout, route: str, mode: str, files: dict[str, bytes]) -> None:
    """The repository.

    Args:
        route: ``krmfn build`` takes what the transformer takes; for ``krmfn seal`` the entry is a file
            that no kustomization lists.
        files: what an entry needs beside it.
    """
    (root / ".git").mkdir(parents=True)  # where the repository ends
    function = route != "krmfn seal"
    kustomizations = {"base": "resources: [deployment.yaml]\n", **layout.folders}
    for folder in kustomizations:
        (root / folder).mkdir(parents=True)
    (root / "base/deployment.yaml").write_text(DEPLOYMENT)
    if route != "generator":
        (root / "base/claim.yaml").write_text(CLAIM + "  nameSuffixHash: true\n" * layout.hashed)
        kustomizations["base"] = "resources: [deployment.yaml, claim.yaml]\n"
    for folder in layout.entry if function else (".",):
        for name, content in files.items():
            (root / folder / name).write_bytes(content)
        _entry(root / folder, layout, route, mode)
        if function and (route == "generator" or "ENTRY" not in kustomizations[folder]):
            listed = "generators" if route == "generator" else "transformers"
            kustomizations[folder] += f"{listed}: [entry.yaml]\n"
    if function and layout.protected:
        (root / "top/validator.yaml").write_text(config("SealedSecretValidator", mode))
        kustomizations["top"] += "validators: [validator.yaml]\n"
        # A stream takes one marker: of several entries each is deleted where it comes from.
        for folder in layout.entry if len(layout.entry) > 1 else ["top"]:
            _marker(root / folder, route, kustomizations, folder)
    for folder, text in kustomizations.items():
        (root / folder / "namespace.yaml").write_text(NAMESPACE)
        lists = text.replace("ENTRY", "entry.yaml")
        if route == "generator":
            lists = text.replace("ENTRY, ", "").replace(", ENTRY", "")
        (root / folder / "kustomization.yaml").write_text(lists)


def _entry(folder: Path, layout: Layout, route: str, mode: str) -> None:
    if route == "generator":
        shape = "name: db, store: main, dataFrom: [{extract: {key: app/db}}]"
        shape += ", nameSuffixHash: true" * layout.hashed
        spec = f"{SEALING}  secrets: [{{{shape}}}]\n"
        text = config("SealedSecretGenerator", mode, layout.config, spec)
    else:
        text = config("SealedSecretTransformer", mode, layout.config, SEALING)
    (folder / "entry.yaml").write_text(text)


def _marker(folder: Path, route: str, kustomizations: dict[str, str], name: str) -> None:
    """The deletion of the skip marker: after the transformers for theirs, among patches else."""
    if route == "generator":
        kustomizations[name] += f"patches:\n- patch: |-\n    {DELETION}\n"
        return
    (folder / "skip-marker.yaml").write_text(
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: skip-marker}\n"
        f"patch: |-\n  {DELETION}\n"
    )
    if "transformers: [" in kustomizations[name]:
        lines = kustomizations[name].splitlines()
        lines = [
            f"{line[:-1]}, skip-marker.yaml]" if line.startswith("transformers: [") else line
            for line in lines
        ]
        kustomizations[name] = "\n".join([*lines, ""])
    else:
        kustomizations[name] += "transformers: [skip-marker.yaml]\n"
