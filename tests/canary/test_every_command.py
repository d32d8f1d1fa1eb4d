"""No command shows a value: each of them, in every form, when it works and when it fails on one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.canary.test_canary import CANARY, FORMS, clean, watching
from tests.support import commands, plaintexts
from tests.support import repository as repo
from tests.support.function import DERIVATION_KEY, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.openbao import OpenBao

OTHER = Path(__file__).resolve().parents[1] / "vectors/keys/current.crt"
RENDERED = "rendered/overlays/production.yaml"
BEGINNING = CANARY[:6].encode()  # of a value that was cut short


@dataclass(frozen=True)
class Case:
    """One call, from the root of `plaintexts.repository`.

    Attributes:
        line: the command line behind ``krmfn``.
        says: a part of what is printed, so that it is known to have come as far as the value.
        stdin: a file of the repository.
        plain: whether standard output holds the value, as it should.
    """

    line: str
    code: int = 0
    says: str = ""
    stdin: str = ""
    plain: bool = False


# Every command and subcommand. `build` and `seal` print what is no claim as it came, to the byte.
CASES: dict[str, list[Case]] = {
    "init": [
        Case("init --dry-run fresh", says="1 Secret to claim"),
        Case("init --dry-run .", 1, says="unencrypted, by a secretGenerator"),
        Case("init fresh", 2, "there is no terminal to ask", stdin="in/value.txt"),
        Case("init --dry-run literal patch bytes inline", 1, says="kustomize fails"),
        Case("init --dry-run malformed", 2, "no kustomization"),
    ],
    "build": [
        Case("build overlays/production", says="encryptedData"),
        Case("build overlays/staging overlays/production --output out --prune"),
        Case("build overlays/dev", says="shop-smtp", plain=True),
        Case("build --claims-only overlays/production", says="SecretClaim"),
        Case("build refused", 1, "[plain-secret]"),
        Case("build listed", 3, "[value-shape]"),
        Case("build literal", 2, "[kustomize]"),
        Case("build bytes", 2, "[kustomize]"),
        Case("build malformed", 2, "[yaml]"),
    ],
    "seal": [
        Case("seal in/claims.yaml --config overlays/dev/krmfn.yaml", 1, "[plain-secret]"),
        Case(
            "seal in/claims.yaml --config overlays/dev/krmfn.yaml --plain-secrets allow", plain=True
        ),
        Case("seal in/broken.yaml --config overlays/dev/krmfn.yaml", 2, "[yaml]"),
        Case("seal - --config overlays/dev/krmfn.yaml", 2, "[yaml]", stdin="in/broken.json"),
        Case("seal in/claims.yaml --config in/wrong.yaml", 2, "[spec]"),
    ],
    "diff": [
        Case(f"diff {RENDERED} overlays/production", says="the same"),
        Case(f"diff --json {RENDERED} in/template.yaml", 1, '"vanished"'),
        Case("diff in/template.yaml in/other.yaml", 1, "changed"),
        Case("diff cluster in/not-sealed.yaml", 1, "production/legacy"),
        Case("diff in/sealed-shape.yaml in/not-sealed.yaml", 1, "password: appeared"),
        Case("diff in/broken.yaml in/anchor.yaml", 2, "[yaml]"),
    ],
    "drift": [
        Case("drift overlays/production --against rendered", says="the same"),
        Case("drift overlays/production --json", 1, '"against": "cluster"'),
        Case("drift listed --against rendered", 3, "[value-shape]"),
    ],
    "rotate cert": [
        Case(f"rotate cert overlays/dev --to {OTHER}", says="1 file changed"),
        Case("rotate cert overlays/dev --to -", 4, "[certificate]", stdin="in/value.txt"),
    ],
    "rotate epoch": [
        Case("rotate epoch pinned --dry-run", says="1 file would change"),
        Case("rotate epoch in/wrong.yaml", 2, "[usage]"),
        Case("rotate epoch in/broken.yaml", 2, "[yaml]"),
    ],
    "rotate versions": [
        Case("rotate versions pinned", says="1 file changed"),
        Case("rotate versions in/anchor.yaml", 2, "[yaml]"),
    ],
    "plan": [
        Case("plan overlays/production", says="there"),
        Case("plan --json pinned", says='"exists": true'),
        Case("plan --offline --explain overlays/dev", says="no policy"),
        Case("plan listed", 3, "[value-shape]"),
        Case("plan malformed", 2, "[yaml]"),
    ],
    "unseal": [
        Case(f"unseal {RENDERED} --key {repo.KEY}", says="shop-smtp", plain=True),
        Case(f"unseal {RENDERED} --check --key {repo.KEY}", says="yes  production/shop-smtp"),
        Case(f"unseal --check --key {repo.KEY}", 1, "not base64", stdin="in/not-sealed.yaml"),
        Case(f"unseal in/not-sealed.yaml --key {repo.KEY}", 4, "[unseal]"),
        Case(f"unseal in/sealed-shape.yaml --key {repo.KEY}", says='"data": {}'),
        Case(f"unseal {RENDERED} --key in/secret.yaml", 4, "[private-key]"),
        Case(f"unseal {RENDERED} --key in/broken.yaml", 2, "[yaml]"),
        Case(f"unseal in/broken.json --key {repo.KEY}", 2, "[yaml]"),
    ],
    "audit": [
        Case("audit in/stream.yaml -v", 1, "[unmet-reference]"),
        Case("audit in/stream.yaml --json", 1, '"plain"'),
        Case("audit - --sarif", 1, '"2.1.0"', stdin="in/stream.yaml"),
        Case("audit plain", 1, "nobodys"),
        Case("audit --explain unmet-key", says="unmet-key"),
        Case("audit in/anchor.yaml", 2, "[yaml]"),
        Case("audit in/stream.yaml --config in/wrong.yaml", 2, "[spec]"),
    ],
    "graph": [
        Case("graph in/stream.yaml", says="legacy"),
        Case("graph plain --json", says='"plain"'),
        Case("graph overlays/dev --mermaid", says="flowchart"),
        Case("graph in/shape.yaml", says="legacy"),
        Case("graph in/broken.json", 2, "[yaml]"),
        Case("graph patch", 2, "[kustomize]"),
    ],
    "matrix": [
        Case("matrix overlays/dev overlays/staging overlays/production plain", says="legacy"),
        Case("matrix overlays/dev overlays/production --json --equal-values", says='"shop-db"'),
        Case("matrix overlays/dev overlays/production plain --html page.html --equal-values"),
        Case("matrix overlays/dev listed --equal-values", 3, "[value-shape]"),
        Case("matrix overlays/dev bytes", 2, "[kustomize]"),
    ],
    "doctor": [
        Case("doctor overlays/production --cluster", 1, "is not shown"),
        Case("doctor overlays/dev --json", 1, '"checks"'),
        Case("doctor literal", 1, "kustomize"),
        Case("doctor listed", 1, "value-shape"),
        Case("doctor malformed", 1, "yaml"),
        Case("doctor in", 2, "[file]"),
    ],
    "cert fetch": [
        Case("cert fetch -o new.pem", says="RSA 4096"),
        Case("cert fetch --controller-name value", 4, "[certificate]"),
    ],
    "cert check": [
        Case("cert check overlays/dev/certs/c.pem --cluster", says="the same"),
        Case("cert check in/value.txt", 4, "[certificate]"),
        Case("cert check in/secret.yaml", 4, "[certificate]"),
    ],
    "schema": [
        Case("schema SecretClaim", says="remoteRef"),
        Case("schema --check in/claims.yaml", says="1 checked"),
        Case("schema --check in/wrong.yaml in/broken.yaml in/broken.json", 2, "[spec]"),
    ],
    "age init": [
        Case("age init new.age --identity new-identity --unbound", says="derivationKey"),
        Case("age init s.age --unbound", 5, "[output]"),
        Case("age init new.age --identity in/value.txt --unbound", 3, "[age-identity]"),
        Case("age init new.age --certificate in/value.txt", 4, "[certificate]"),
    ],
    "age set": [
        Case("age set s.age new password", says="encrypted to", stdin="in/value.txt"),
        Case("age set s.age new --json", says="encrypted to", stdin="in/object.json"),
        Case("age set s.age new --json", 2, "not one JSON object", stdin="in/broken.json"),
        Case("age set in/value.txt new password", 3, "[age-document]", stdin="in/value.txt"),
    ],
    "age get": [
        Case("age get s.age app text", plain=True),
        Case("age get s.age", says="app: text"),
        Case("age get s.age app gone", 3, "[property-missing]"),
        Case("age get in/secret.yaml app", 3, "[age-document]"),
        Case("age get s.age --identity in/value.txt", 3, "[age-identity]"),
    ],
    "import sealedsecret": [
        Case("import sealedsecret in/not-sealed.yaml", says="SecretClaim"),
        Case("import sealedsecret in/template.yaml", 2, "[no-equivalent]"),
        Case("import sealedsecret in/sealed-shape.yaml", 2, "[spec]"),
        Case("import sealedsecret in/broken.yaml", 2, "[yaml]"),
    ],
    "import secret": [
        Case("import secret in/secret.yaml --namespace production", says="--write-values"),
        Case("import secret - --namespace new --write-values", stdin="in/secret.yaml"),
        Case("import secret in/secret.yaml --namespace production --write-values", 3, "[occupied]"),
        Case("import secret in/shape.yaml --namespace production", 2, "[spec]"),
        Case("import secret in/broken.yaml in/anchor.yaml", 2, "[yaml]"),
        Case("import secret in/broken.json", 2, "[yaml]"),
    ],
    "import kustomization": [
        Case("import kustomization plain --namespace production", says="generated"),
        Case("import kustomization fresh --as generator --write-values --output new.yaml"),
        Case("import kustomization literal --namespace production", 2, "literals"),
        Case("import kustomization malformed", 2, "[yaml]"),
    ],
    "import externalsecret": [
        Case("import externalsecret in/external.yaml --config overlays/dev/krmfn.yaml"),
        Case("import externalsecret in/external.yaml", 2, "[spec]"),
        Case("import externalsecret in/secret.yaml", 2, "[input]"),
        Case("import externalsecret in/broken.yaml", 2, "[yaml]"),
        Case("import externalsecret in/external.yaml --config in/wrong.yaml", 2, "[spec]"),
    ],
    "import avp": [
        Case("import avp in/avp.yaml", says="shop/mail"),
        Case("import avp in/avp-literal.yaml", 2, "is unencrypted"),
        Case("import avp in/avp-broken.yaml", 2, "[no-equivalent]"),
        Case("import avp in/broken.yaml", 2, "[yaml]"),
    ],
    "explain": [
        Case("explain permission-denied", says="Usual cause: "),
        Case("explain no-such-id", 2, "[usage]", stdin="in/value.txt"),
    ],
    "completion": [
        Case("completion bash", says="complete"),
        Case("completion powershell", 2, "[usage]", stdin="in/value.txt"),
    ],
    "install": [
        Case("install legacy-plugin --home plugins"),
        Case("install argocd --output component"),
        Case("install argocd --output installed", 5, "[output]"),
    ],
    "argocd discover": [
        Case("argocd discover overlays/dev", says="SealedSecretTransformer"),
        Case("argocd discover plain"),
        Case("argocd discover malformed", says="[yaml]"),
    ],
    "argocd parameters": [
        Case("-C plain argocd parameters", says="reorder"),
        Case("-C malformed argocd parameters", says="[]"),
    ],
    "help": [
        Case("help build", says="usage: krmfn build"),
        Case("help nothing", 2, "[usage]", stdin="in/value.txt"),
    ],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, openbao: OpenBao) -> Iterator[Project]:
    """The repository with its build, an age store and a cluster, all of which hold the value."""
    with plaintexts.project(tmp_path_factory, openbao, CANARY, DERIVATION_KEY) as found:
        found.environ["KRMFN_DEBUG"] = "1"
        yield found


def test_every_command_is_here() -> None:
    """With a success, a failure, and every form that its output has."""
    found = commands.options()
    assert set(found) == set(CASES)
    for command, options in found.items():
        codes = [case.code for case in CASES[command]]
        assert min(codes) < 2, command
        assert max(codes) > 1 or command in commands.NEVER_FAIL, command
        used = {word for case in CASES[command] for word in case.line.split()}
        assert options & commands.FORMS <= used, command


@pytest.mark.parametrize(
    "case", [case for cases in CASES.values() for case in cases], ids=lambda case: case.line
)
def test_nothing_is_shown(case: Case, made: Project, tmp_path: Path) -> None:
    """Neither by its output nor by its children, nor in a file that did not hold it before."""
    check(case, made, tmp_path)


@pytest.mark.process
@pytest.mark.parametrize("case", [cases[0] for cases in CASES.values()], ids=lambda case: case.line)
def test_its_process_shows_nothing(case: Case, made: Project, tmp_path: Path) -> None:
    """One of each command as a person starts it."""
    check(case, made, tmp_path, process=True)


def check(case: Case, made: Project, tmp_path: Path, *, process: bool = False) -> None:
    project = Project(shutil.copytree(made.directory, tmp_path / "shop"), made.environ)
    held = {file: file.read_bytes() for file in files(tmp_path)}
    with watching() as seen:
        stdin = (project.directory / case.stdin).read_bytes() if case.stdin else b""
        done = project.run(None, *case.line.split(), stdin=stdin, process=process)
    said = (done.stdout + done.stderr).decode()
    assert (done.returncode, case.says in said) == (case.code, True), said
    clean("standard error", done.stderr, BEGINNING)
    if case.plain:
        assert any(form in done.stdout for form in FORMS)
    else:
        clean("standard output", done.stdout, BEGINNING)
    clean("a command line or an environment", b"\n".join(seen), BEGINNING)
    for file in files(tmp_path):
        if not any(form in held.get(file, b"") for form in FORMS):
            clean(str(file), file.read_bytes(), BEGINNING)


def files(directory: Path) -> list[Path]:
    """Every file."""
    return [file for file in directory.rglob("*") if file.is_file()]
