"""`krmfn init` in repositories as people have them: deployed from elsewhere, with Secrets in git."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.command import krmfn

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

KEYS = Path(__file__).resolve().parents[2] / "tests/vectors/keys"
DERIVATION_KEY = "6b1f0a7c94d2e8350f1b6d2c7a8e9f40316275a4b3c2d1e0f9e8d7c6b5a49382"
APP = """\
apiVersion: v1
kind: Pod
metadata: {name: shop}
spec:
  containers:
  - name: shop
    image: shop
    env:
    - {name: A, valueFrom: {secretKeyRef: {name: db, key: password}}}
"""
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: shop}
rules: [{apiGroups: [""], resources: [secrets], resourceNames: [db], verbs: [get]}]
"""
APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec: {source: {path: shop}, destination: {namespace: production}}
"""
FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: shop}
spec: {path: ./shop, targetNamespace: production}
"""
EXTERNAL = """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db}
spec: {data: [{secretKey: password, remoteRef: {key: db}}]}
"""
EVERYWHERE = """\
apiVersion: external-secrets.io/v1
kind: ClusterExternalSecret
metadata: {name: db}
spec: {externalSecretSpec: {data: [{secretKey: password, remoteRef: {key: db}}]}}
"""
SEALED = """\
apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: db, namespace: production}
spec: {encryptedData: {password: AgBy3i4OJSWK}}
"""
PLAIN = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: swordfish}
"""
SOPS = f"{PLAIN}sops: {{version: 3.10.2}}\n"
TOKEN = """\
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: db, annotations: {kubernetes.io/service-account.name: shop}}
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with the controller's certificate."""
    (tmp_path / ".git").mkdir()
    shutil.copy(KEYS / "current.crt", tmp_path / "controller.pem")
    return tmp_path


def write(top: Path, **files: str) -> None:
    """Directories, by the text of their one file; a kustomization lists it, behind what it says."""
    for name, text in files.items():
        head, _, body = text.rpartition("===\n")
        directory = top / name.replace("_", "/")
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "all.yaml").write_text(body)
        (directory / "kustomization.yaml").write_text(f"{head}resources:\n- all.yaml\n")


def init(top: Path, *arguments: str, code: int = 0) -> str:
    """What it says; the diffs left out."""
    done = krmfn("init", "--certificate", "controller.pem", *arguments, cwd=top)
    assert (done.returncode, done.stderr) == (code, "")
    return "\n".join(line for line in done.stdout.splitlines() if line[:1] not in ("+", "-", "@"))


@pytest.mark.parametrize(
    ("said", "by"),
    [
        (APPLICATION, "Application/shop in clusters/all.yaml"),
        (FLUX, "Kustomization/shop in clusters/all.yaml"),
    ],
)
def test_where_it_is_deployed(top: Path, openbao: OpenBao, said: str, by: str) -> None:
    """The kustomization gets the namespace that Argo CD or Flux deploys to, and so everything knows it."""
    write(top, shop=APP, clusters=said)
    text = init(top, "--yes", "shop")
    assert f"shop/kustomization.yaml: 1 Secret to claim; namespace production, as {by} says" in text
    assert "vault kv put secret/production/db password=@FILE" in text
    claim = yaml.safe_load((top / "shop/claims.yaml").read_text())
    assert claim["metadata"] == {"name": "db"}
    text = (top / "shop/kustomization.yaml").read_text()
    assert text.endswith("namespace: production\ntransformers: [../krmfn]\n")

    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "production/db", {"password": "x"})
    planned = krmfn("plan", "shop", cwd=top, **openbao.environ)
    assert (planned.returncode, "production/db" in planned.stdout) == (0, True), planned.stderr
    built = krmfn("build", "shop", cwd=top, **openbao.environ)
    assert (built.returncode, built.stderr) == (0, "")
    assert "krmfn.dev/sealed-for: production/db" in built.stdout
    assert krmfn("audit", "shop", cwd=top).returncode == 0


def test_a_namespace_that_is_given(top: Path) -> None:
    """It counts where nothing else says one; where two are said, it decides."""
    second = APPLICATION.replace("name: shop", "name: two").replace("production", "other")
    both = f"{APPLICATION}---\n{second}"
    write(top, shop=APP, clusters=both, inside=f"namespace: own\n===\n{APP}")
    text = init(top, "--dry-run", code=1)
    assert (
        "shop/kustomization.yaml: deployed to several namespaces; say which one with --names"
        in text
    )
    assert "production (Application/shop in clusters/all.yaml), other (Application/two in" in text
    text = init(top, "--yes", "--namespace", "given")
    assert (
        "shop/kustomization.yaml: 1 Secret to claim; namespace given, as --namespace says" in text
    )
    assert "inside/kustomization.yaml: 1 Secret to claim\n" in text
    assert "\nnamespace: given\n" in (top / "shop/kustomization.yaml").read_text()
    claims = (top / "inside/claims.yaml").read_text()
    assert ("namespace:" in claims, "from: own/db" in claims) == (False, True)


@pytest.mark.parametrize(
    ("said", "own", "fine"),
    [
        (FLUX, "other", False),
        (FLUX, "production", True),
        (f"{FLUX}---\n{FLUX.replace('production', 'other')}", "other", True),
        (APPLICATION, "other", True),
        (APPLICATION.replace("shop}", "shop, kustomize: {namespace: production}}"), "other", False),
    ],
)
def test_two_words_about_a_namespace(top: Path, said: str, own: str, fine: bool) -> None:
    """Flux, and Argo CD where asked to, replace what the kustomization says: it would not open there."""
    write(top, shop=f"namespace: {own}\n===\n{APP}", clusters=said)
    text = init(top, "--dry-run", "shop", code=int(not fine))
    assert ("shop/kustomization.yaml: 1 Secret to claim\n" in text) == fine
    note = (
        "in clusters/all.yaml deploys it to production, whatever its namespace: says; correct other"
    )
    assert (note in text) == (not fine)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--namespace", "No Name"], "--namespace: not a namespace's name [usage]"),
        (["--assume", "db"], "--assume is SECRET=WHY; name the producer of the Secret [usage]"),
    ],
)
def test_wrong_arguments(top: Path, arguments: list[str], message: str) -> None:
    """They are refused before anything is built."""
    done = krmfn("init", *arguments, cwd=top)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("other", "by"),
    [
        (f"namespace: production\n===\n{EXTERNAL}", "ExternalSecret/db in other"),
        (EVERYWHERE, "ClusterExternalSecret/db in other"),
        (SEALED, "SealedSecret/db in other"),
        (f"namespace: staging\n===\n{EXTERNAL}", ""),
        (f"namespace: production\n===\n{TOKEN.replace('db', 'token')}", ""),
    ],
)
def test_what_another_makes(top: Path, other: str, by: str) -> None:
    """A Secret of the same namespace from elsewhere in the repository is no claim."""
    write(top, shop=f"namespace: production\n===\n{APP}", other=other)
    text = init(top, "--dry-run", "shop")
    assert (f"  db is not a claim: {by} creates it" in text) == bool(by)
    assert ("1 Secret to claim" in text) == (not by)
    if by:
        assert "every Secret that it refers to is there, or made elsewhere" in text
        assert "Nothing to propose." in text


def test_variants_make_nothing_for_each_other(top: Path) -> None:
    """Two clusters' overlays of one base: what one of them makes, the other one lacks."""
    write(top, base=APP, one=f"namespace: production\n===\n{EXTERNAL}")
    write(top, two=f"namespace: production\n===\n{ROLE}")
    for name in ("one", "two"):
        with (top / name / "kustomization.yaml").open("a") as file:
            file.write("- ../base\n")
    text = init(top, "--dry-run")
    assert "two/kustomization.yaml: 1 Secret to claim" in text
    assert "no claim" not in text
    (top / "one/all.yaml").write_text(ROLE)
    text = init(top, "--dry-run")
    assert text.count("1 Secret to claim") == 2  # one in each
    assert "claimed in" not in text


def test_assumptions_are_in_the_transformer(top: Path, openbao: OpenBao) -> None:
    """What is made elsewhere, found or said, is an assumption with its reason; the build agrees."""
    more = "".join(
        f"    - {{name: {n}, valueFrom: {{secretKeyRef: {{name: {n}, key: k}}}}}}\n"
        for n in ("mine", "said")
    )
    write(top, shop=f"namespace: production\n===\n{APP}{more}")
    write(top, other=f"namespace: production\n===\n{EXTERNAL}")
    text = init(top, "--yes", "shop", "--assume", 'said=the "cloud" makes it', "--assume", "typo=x")
    assert "typo: nothing asks for a Secret of that name (--assume)" in text
    transformer = next(yaml.safe_load_all((top / "krmfn/transformer.yaml").read_text()))
    assert transformer["spec"]["validate"]["assume"] == [
        {
            "secret": "db",
            "namespace": "production",
            "because": "ExternalSecret/db in other creates it",
        },
        {"secret": "said", "namespace": "production", "because": 'the "cloud" makes it'},
    ]
    assert "name: mine" in (top / "shop/claims.yaml").read_text()
    assert "Nothing to propose." in init(top, "--yes", "shop")
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "production/mine", {"k": "x"})
    built = krmfn("build", "shop", cwd=top, **openbao.environ)
    assert (built.returncode, built.stderr) == (0, "")


def test_a_permission_asks_for_nothing(top: Path) -> None:
    """What a Role may read, its controller may well make itself."""
    write(top, shop=f"namespace: production\n===\n{ROLE}")
    assert "every Secret that it refers to is there" in init(top, "--dry-run")


def test_one_secret_for_several_overlays(top: Path) -> None:
    """Each claims all keys that any of them needs, so that they do not take turns in the cluster."""
    write(top, a=f"namespace: production\n===\n{APP}")
    write(top, b=f"namespace: production\n===\n{APP.replace('password', 'user')}")
    text = init(top, "--yes")
    assert "then: production/db is claimed in b too; where one cluster gets several of them" in text
    claims = [(top / name / "claims.yaml").read_text() for name in "ab"]
    assert claims[0] == claims[1]
    assert "  keys: [password, user]\n" in claims[0]
    assert text.count("vault kv put secret/production/db") == 1


@pytest.mark.parametrize(
    ("stands", "how"),
    [
        (SEALED, "sealed by hand: SealedSecret/db"),
        (PLAIN, "unencrypted: Secret/db"),
        ("secretGenerator:\n- {name: db, literals: [password=swordfish]}\n", "unencrypted, by a secretG"),
    ],
)  # fmt: skip
def test_secrets_that_stand_in_git(top: Path, openbao: OpenBao, stands: str, how: str) -> None:
    """What it says to do leads to an overlay that builds the same Secret from the vault."""
    generated = stands.startswith("secretGenerator")
    write(top, shop=APP, clusters=APPLICATION)
    kustomization = top / "shop/kustomization.yaml"
    if generated:
        kustomization.write_text(f"{kustomization.read_text()}{stands}")
    else:
        (top / "shop/secret.yaml").write_text(stands)
        kustomization.write_text(f"{kustomization.read_text()}- secret.yaml\n")
    text = init(top, "--yes", "shop")
    assert f"then: {how}" in text
    assert "Nothing to propose." in text

    command = re.search("run `krmfn ([^`]*)`", text)
    assert command
    openbao.request("DELETE", "secret/metadata/production/db")
    done = krmfn(*shlex.split(command[1]), cwd=top, **openbao.environ)
    assert done.returncode == 0, done.stderr
    if stands == SEALED:
        openbao.write("secret", "production/db", {"password": "swordfish"})
    kustomization.write_text("resources:\n- all.yaml\n- claims.yaml\n")
    text = init(top, "--yes", "shop")
    assert "shop/kustomization.yaml: claims that nothing seals yet" in text
    assert not (top / "shop/krmfn-claims.yaml").exists()

    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    built = krmfn("build", "shop", cwd=top, **openbao.environ)
    assert (built.returncode, built.stderr) == (0, "")
    opened = krmfn("unseal", "--key", KEYS / "current.key", stdin=built.stdout)
    (secret,) = (one for one in yaml.safe_load_all(opened.stdout) if one["kind"] == "Secret")
    assert (secret["metadata"]["namespace"], secret["data"]["password"]) == (
        "production",
        "c3dvcmRmaXNo",
    )


def test_claims_of_a_base(top: Path, openbao: OpenBao) -> None:
    """They learn from the kustomization where they are sealed for, which gets its namespace."""
    claim = """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata: {name: db}
spec: {store: main, data: [{secretKey: password, remoteRef: {key: db, property: password}}]}
"""
    write(top, shop=f"{claim}---\n{APP}")
    assert "no namespace is known to seal for" in init(top, "--yes", code=1)
    text = init(top, "--yes", "--namespace", "given")
    assert "claims that nothing seals yet; namespace given, as --namespace says" in text
    openbao.write("secret", "krmfn/derivation", {"key": DERIVATION_KEY})
    openbao.write("secret", "db", {"password": "x"})
    built = krmfn("build", "shop", cwd=top, **openbao.environ)
    assert (built.returncode, built.stderr) == (0, "")
    assert "krmfn.dev/sealed-for: given/db" in built.stdout


def test_what_is_encrypted_is_not_in_clear(top: Path) -> None:
    """sops is told, and a token that the cluster writes is no one's business."""
    write(top, shop=f"namespace: production\n===\n{SOPS}", token=f"namespace: x\n===\n{TOKEN}")
    text = init(top, "--dry-run")
    assert "unencrypted" not in text
    assert "token/kustomization.yaml: every Secret that it refers to is there\n" in text
    assert (
        "encrypted by sops: Secret/db; to claim instead, run `sops --decrypt shop/all.yaml | "
        "krmfn import secret - --output shop/claims-db.yaml --path-template 'production/{name}' "
        "--write-values`, list claims-db.yaml in their place" in text
    )


ENC = "ENC[AES256_GCM,data:QUJD,iv:QUJD,tag:QUJD,type:str]"


@pytest.mark.parametrize(
    ("entry", "content"),
    [
        ("envs: [values]", f"A={ENC}\nsops_mac={ENC}\n"),
        ("files: [a=values]", f"a: {ENC}\nsops: {{mac: '{ENC}'}}\n"),
        ("files: [values]", "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n"),
        ("literals: [a=ref+vault://secret/app#/a]", ""),
    ],
)
def test_a_generator_over_encrypted_files(top: Path, entry: str, content: str) -> None:
    """It is said to be what it is, and what comes first."""
    generator = f"secretGenerator:\n- {{name: db, {entry}}}\n"
    write(top, shop=f"namespace: production\n{generator}===\n{APP}")
    (top / "shop/values").write_text(content)
    text = init(top, "--dry-run")
    assert "unencrypted" not in text
    assert "then: encrypted, or placeholders, in the files of a secretGenerator: Secret/db" in text
    assert "decrypt the files, then run `krmfn import kustomization shop`" in text


def test_many_overlays_with_nothing_to_say(top: Path) -> None:
    """They take one line, and so do those that others take in."""
    for number in range(5):
        write(top, **{f"o{number}": f"namespace: n{number}\n===\n{ROLE}"})
    write(top, **{f"all_{n}": f"namespace: b{n}\n===\n{ROLE.replace('shop', n)}" for n in "abcd"})
    (top / "all/kustomization.yaml").write_text("resources: [a, b, c, d]\n")
    text = init(top)
    assert (
        "all/kustomization.yaml, o0/kustomization.yaml, o1/kustomization.yaml, 3 more: every"
        in text
    )
    assert "all/b/kustomization.yaml, all/c/kustomization.yaml, 1 more: another kustomizat" in text
    assert len(text.splitlines()) == 6  # with empty ones


def test_a_failure_names_its_place_once(top: Path) -> None:
    """The overlay's own file is not said twice, and has its line; another one's is said."""
    write(
        top, shop=f"helmCharts: [{{name: x}}]\n===\n{APP}", base=f"helmCharts: [{{}}]\n===\n{APP}"
    )
    (top / "over").mkdir()
    (top / "over/kustomization.yaml").write_text("resources: [../base]\n")
    text = init(top, code=1)
    assert "\nshop/kustomization.yaml:1:1: helmCharts: no chart is inflated" in text
    assert "\nover/kustomization.yaml: base/kustomization.yaml:1:1: helmCharts: no chart" in text


KSOPS = "apiVersion: viaduct.ai/v1\nkind: ksops\nmetadata: {name: g}\nfiles: [secret.enc.yaml]\n"


@pytest.mark.parametrize(
    ("files", "by"),
    [
        ({"sealed/db.yaml": SEALED}, "SealedSecret/db in sealed/db.yaml"),
        ({"sealed/db.yaml": SEALED.replace("production}", "other}")}, ""),
        ({"plain/db.json": json.dumps(yaml.safe_load(PLAIN))}, "Secret/db in plain/db.json"),
        (
            {
                "k/kustomization.yaml": "generators: [g.yaml]\n",
                "k/g.yaml": KSOPS,
                "k/secret.enc.yaml": SOPS,
            },
            "Secret/db in k/secret.enc.yaml",
        ),
        (
            {"chart/templates/s.yaml": "kind: Secret\nmetadata:\n  name: db\n{{ if .Values.x }}\n"},
            "Secret/db in chart/templates/s.yaml",
        ),
        (
            {"c/kustomization.yaml": "helmCharts: [{name: pg, releaseName: db}]\n"},
            "the chart of db in c/kustomization.yaml",
        ),
        (
            {"x/thing.yaml": "apiVersion: x.example/v1\nkind: T\nmetadata: {name: db}\n"},
            "T/db in x/",
        ),
        ({"notes/db.yaml": "kind: ConfigMap\nmetadata: {name: db}\n"}, ""),
    ],
)
def test_what_a_file_may_create(top: Path, files: dict[str, str], by: str) -> None:
    """It is a question where no build covers the file, and no claim unless the user says so."""
    write(top, shop=f"namespace: production\n===\n{APP}")
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    text = init(top, "--dry-run", "shop")
    assert (f"  db is not claimed: does {by}" in text) == bool(by)
    assert ("1 Secret to claim" in text) == (not by)
    if by:
        assert "Nothing to propose." in text
        assert "1 Secret to claim" in init(top, "--dry-run", "shop", "--claim", "db")


def test_a_claim_that_would_get_a_taken_name(tmp_path: Path) -> None:
    """kustomize renames somebody's SealedSecret and not its references: a claim would be a second maker."""
    (tmp_path / ".git").mkdir()
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "app.yaml").write_text(APP)
    (shop / "sealed.yaml").write_text(SEALED)
    kustomization = "namespace: production\nnamePrefix: eu-\nresources: [app.yaml, sealed.yaml]\n"
    (shop / "kustomization.yaml").write_text(kustomization)
    done = krmfn("init", "--dry-run", shop, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert "SealedSecret/eu-db creates eu-db, and nothing creates db: refer to eu-db" in done.stdout
    assert "SecretClaim" not in done.stdout
