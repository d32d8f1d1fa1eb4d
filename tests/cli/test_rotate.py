"""`krmfn rotate`: one reviewable change, and nothing else of a file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support import repository as repo
from tests.support.command import krmfn
from tests.support.platform import write_platform

if TYPE_CHECKING:
    from tests.support.openbao import OpenBao

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
NEW_FILE = ROOT / "tests/vectors/keys/current.crt"
NEW_PEM = NEW_FILE.read_text()
NEW = "2de602df37fcd47a9a0e88b7c5d16dedf77c8b3ae55d090d88ddb76f0a9fc642"
CONFIG = """\
# who seals what
apiVersion: krmfn.dev/v1alpha1
kind: SealedSecretGenerator
metadata: {name: shop}
spec:
  sealing:
    certificate: {file: certs/c.pem}   # the controller's
    derivationKey: {store: main, key: krmfn/derivation, property: key, version: 1}
    epoch: '1'   # counts
  stores:
    main: {vault: {path: secret, id: platform}}
  secrets:
  - name: db
    store: main
    data:
    # pinned on purpose
    - secretKey: password
      remoteRef: {key: build/db, property: password, version: 1}   # reviewed
    - secretKey: free
      remoteRef: {key: build/db, property: password}
    dataFrom:
    - extract: {key: "build/all", version: 2}
"""
CLAIM = """\
apiVersion: krmfn.dev/v1alpha1
kind: SecretClaim
metadata:
  name: db
spec:
  store: main
  data:
  - {secretKey: password, remoteRef: {key: build/db, property: password, version: 1}}
"""
TRANSFORMER = """\
apiVersion: krmfn.dev/v1alpha1
kind: SealedSecretTransformer
metadata: {name: shop}
spec:
  sealing:
    # reviewed
    certificate: {file: certs/c.pem}
    mode: random
  stores:
    main: {vault: {path: MOUNT}}
"""
INLINE = yaml.safe_load(
    CONFIG.replace("file: certs/c.pem", f"url: 'https://x', sha256: {'a' * 64}")
)


def rotate(
    *arguments: str | Path, cwd: Path = ROOT, stdin: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """One call."""
    return krmfn("rotate", *arguments, cwd=cwd, stdin=stdin, **environ)


def snapshot(directory: Path) -> dict[Path, bytes]:
    """Every file below a directory."""
    return {f: f.read_bytes() for f in sorted(directory.rglob("*")) if f.is_file()}


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """An overlay with a generator, its certificate and a validator."""
    (tmp_path / ".git").mkdir()
    directory = tmp_path / "overlays/prod"
    (directory / "certs").mkdir(parents=True)
    (directory / "certs/c.pem").write_text(repo.PEM)
    (directory / "krmfn.yaml").write_text(CONFIG)
    spec = {"certificate": {"file": "certs/c.pem"}}
    repo.write(directory / "validator.yaml", repo.config("SealedSecretValidator", spec))
    (directory / "kustomization.yaml").write_text(
        "namespace: production\ngenerators: [krmfn.yaml]\nvalidators: [validator.yaml]\n"
    )
    return directory


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """A base with a pinned claim, and overlays dev and prod with a transformer each."""
    (tmp_path / ".git").mkdir(exist_ok=True)
    (tmp_path / "base").mkdir()
    (tmp_path / "base/claims.yaml").write_text(CLAIM)
    (tmp_path / "base/kustomization.yaml").write_text("resources: [claims.yaml]\n")
    for name in ("dev", "prod"):
        directory = tmp_path / "overlays" / name
        (directory / "certs").mkdir(parents=True)
        (directory / "certs/c.pem").write_text(repo.PEM)
        (directory / "krmfn.yaml").write_text(TRANSFORMER.replace("MOUNT", "secret"))
        (directory / "kustomization.yaml").write_text(
            f"resources: [../../base]\nnamespace: {name}\ntransformers: [krmfn.yaml]\n"
        )
    return tmp_path / "overlays"


# --- epoch


EPOCH_DIFF = """\
--- a/overlays/prod/krmfn.yaml
+++ b/overlays/prod/krmfn.yaml
@@ -6,7 +6,7 @@
   sealing:
     certificate: {file: certs/c.pem}   # the controller's
     derivationKey: {store: main, key: krmfn/derivation, property: key, version: 1}
-    epoch: '1'   # counts
+    epoch: '2'   # counts
   stores:
     main: {vault: {path: secret, id: platform}}
   secrets:
"""


def test_epoch(overlay: Path) -> None:
    """The diff is printed and made; another run counts on; quotes and comments stay."""
    done = rotate("epoch", overlay)
    assert (done.returncode, done.stdout, done.stderr) == (0, EPOCH_DIFF, "1 file changed\n")
    expected = CONFIG.replace("'1'   #", "'2'   #")
    assert (overlay / "krmfn.yaml").read_text() == expected
    assert rotate("epoch", overlay, "--to", "2026-11.b").returncode == 0
    assert (overlay / "krmfn.yaml").read_text() == CONFIG.replace("'1'   #", "'2026-11.b'   #")


def test_dry_run_changes_nothing(overlay: Path) -> None:
    """The same diff, and every file as it was."""
    before = snapshot(overlay.parent.parent)
    done = rotate("epoch", "--dry-run", overlay)
    assert (done.returncode, done.stdout, done.stderr) == (0, EPOCH_DIFF, "1 file would change\n")
    assert snapshot(overlay.parent.parent) == before


def test_an_epoch_that_was_left_out(claims: Path) -> None:
    """It was 1: it is added as 2, in each overlay that was named."""
    done = rotate("epoch", claims / "dev", claims / "prod")
    assert (done.returncode, done.stderr) == (0, "2 files changed\n")
    for name in ("dev", "prod"):
        text = (claims / name / "krmfn.yaml").read_text()
        assert text == TRANSFORMER.replace("MOUNT", "secret").replace(
            "  sealing:\n", '  sealing:\n    epoch: "2"\n'
        )


def test_the_diff_can_be_applied(overlay: Path) -> None:
    """What --dry-run prints is what the command does, as `git apply` takes it."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    repository = overlay.parent.parent
    (overlay / "krmfn.yaml").write_text(CONFIG.rstrip() + "  # é ✓")
    (overlay / "certs/c.pem").write_text(repo.PEM.rstrip())
    patches = [
        rotate("cert", "--dry-run", overlay, "--to", NEW_FILE).stdout,
        rotate("epoch", "--dry-run", overlay).stdout,
    ]
    before = snapshot(repository)
    for patch in patches:
        subprocess.run(
            ["git", "apply", "--whitespace=nowarn"],
            cwd=repository,
            input=patch.encode(),
            check=True,
        )
    applied = snapshot(repository)
    for file, content in before.items():
        file.write_bytes(content)
    rotate("cert", overlay, "--to", NEW_FILE)
    rotate("epoch", overlay)
    assert snapshot(repository) == applied != before


@pytest.mark.parametrize(
    ("epoch", "arguments", "said"),
    [
        (
            "one",
            (),
            "overlays/prod/krmfn.yaml:9:5: the epoch is not a number",
        ),
        ("'1'", ("--to", "a b"), "--to is not an epoch, expected 1 to 64 of"),
        ("&e '1'", (), "overlays/prod/krmfn.yaml:9:5: epoch: it has an anchor or a tag"),
        (">-\n      1", (), "overlays/prod/krmfn.yaml:9:5: epoch: it is written in a style"),
    ],
)
def test_an_epoch_that_is_not_changed(
    epoch: str, arguments: tuple[str, ...], said: str, overlay: Path
) -> None:
    """One line with its position, exit code 2, and the file as it was."""
    (overlay / "krmfn.yaml").write_text(CONFIG.replace("'1'   # counts", epoch))
    before = snapshot(overlay)
    done = rotate("epoch", overlay, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert snapshot(overlay) == before


@pytest.mark.parametrize("path", ["/spec/sealing/epoch", "/spec/sealing", "/spec"])
def test_an_epoch_that_a_patch_sets(path: str, overlay: Path) -> None:
    """The file's own value has no say then."""
    (overlay / "config").mkdir()
    (overlay / "krmfn.yaml").rename(overlay / "config/krmfn.yaml")
    patch = {"target": {"name": "shop"}, "patch": json.dumps([{"op": "add", "path": path}])}
    repo.write(
        overlay / "config/kustomization.yaml", {"resources": ["krmfn.yaml"], "patches": [patch]}
    )
    (overlay / "kustomization.yaml").write_text("generators: [config]\n")
    before = snapshot(overlay)
    done = rotate("epoch", overlay)
    assert (done.returncode, done.stdout) == (2, "")
    assert "config/kustomization.yaml:6:3: a patch sets spec.sealing.epoch of" in done.stderr
    assert snapshot(overlay) == before


# --- cert


def test_certificate_files(overlay: Path) -> None:
    """One change over all overlays: each file once, however many name it."""
    second = overlay.parent / "second"
    shutil.copytree(overlay, second)
    done = rotate("cert", "--to", NEW_FILE, overlay, second)
    assert (done.returncode, done.stderr) == (0, "2 files changed\n")
    for directory in (overlay, second):
        assert (directory / "certs/c.pem").read_text() == NEW_PEM
    assert done.stdout.count("+++ b/") == 2
    again = rotate("cert", "--to", "-", overlay, second, stdin=NEW_PEM)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "nothing to change\n")


def test_certificates_in_the_configuration(overlay: Path) -> None:
    """A pin gets the new fingerprint, a PEM text the new text, where they stand."""
    pem = repo.PEM.replace("\n", "\n        ").rstrip()
    inline = CONFIG.replace("{file: certs/c.pem}", f"\n      pem: |  # ours\n        {pem}\n    ")
    (overlay / "krmfn.yaml").write_text(inline)
    url = "https://sealed-secrets.example/v1/cert.pem"
    other = overlay.parent / "other"
    shutil.copytree(overlay, other)
    pinned = CONFIG.replace("{file: certs/c.pem}", f"{{url: {url}, sha256: {'a' * 64}}}")
    (other / "krmfn.yaml").write_text(pinned)
    (overlay / "kustomization.yaml").write_text("generators: [krmfn.yaml]\n")
    done = rotate("cert", "--to", NEW_FILE, overlay, other)
    assert done.returncode == 0, done.stderr
    assert (other / "krmfn.yaml").read_text() == pinned.replace("a" * 64, NEW)
    changed = (overlay / "krmfn.yaml").read_text()
    value = yaml.safe_load(changed)
    assert value["spec"]["sealing"]["certificate"]["pem"].strip() == NEW_PEM.strip()
    body = "\n        ".join(NEW_PEM.strip().split("\n"))
    assert changed == inline.replace(pem, body)


def test_a_certificate_that_cannot_be_sealed_with(overlay: Path) -> None:
    """Refused as a build would, before anything is touched."""
    before = snapshot(overlay)
    done = rotate("cert", overlay, "--to", ROOT / "tests/vectors/keys/expired.crt")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.endswith("[certificate-expired]\n")
    assert snapshot(overlay) == before


def test_an_expired_certificate_is_replaced(overlay: Path) -> None:
    """What cannot be sealed with any more is what most needs another."""
    shutil.copy(ROOT / "tests/vectors/keys/expired.crt", overlay / "certs/c.pem")
    assert rotate("cert", overlay, "--to", NEW_FILE).returncode == 0
    assert (overlay / "certs/c.pem").read_text() == NEW_PEM


@pytest.mark.parametrize(
    ("fields", "files", "said"),
    [
        (
            "generators: [krmfn.yaml]",
            {
                "krmfn.yaml": CONFIG.replace(
                    "{file: certs/c.pem}", "{store: main, key: a, property: b}"
                )
            },
            "overlays/prod/krmfn.yaml:7:5: certificate: the certificate comes from a store",
        ),
        (
            "generators: [config]",
            {
                "config/kustomization.yaml": (
                    "resources: [krmfn.yaml]\npatches:\n- patch: |\n"
                    '    [{op: replace, path: /spec/sealing/certificate/file, value: "x.pem"}]\n'
                    "  target: {kind: SealedSecretGen.*}\n"
                ),
                "config/krmfn.yaml": CONFIG,
            },
            "overlays/prod/config/kustomization.yaml:3:3: a patch sets spec.sealing.certificate "
            "of SealedSecretGenerator/shop; change it by hand [in-place]",
        ),
        (
            "generators: [config]",
            {
                "config/kustomization.yaml": "resources: [krmfn.yaml]\npatches: [{path: p.yaml}]\n",
                "config/krmfn.yaml": CONFIG,
                "config/p.yaml": (
                    "# why\napiVersion: krmfn.dev/v1alpha1\nkind: SealedSecretGenerator\n"
                    "metadata: {name: shop}\nspec: {sealing: {certificate: {file: x.pem}}}\n"
                ),
            },
            "p.yaml:2:1: a patch sets spec.sealing.certificate",
        ),
        (
            "generators:\n- |\n"
            + "".join(
                f"  {line}\n"
                for line in CONFIG.replace(
                    "file: certs/c.pem", f"url: 'https://x', sha256: {'a' * 64}"
                ).splitlines()
            ),
            {},
            "overlays/prod/kustomization.yaml:2:3: sha256: it is inside the kustomization",
        ),
        (
            "generators: ['" + json.dumps(INLINE) + "']",
            {},
            "overlays/prod/kustomization.yaml:1:14: sha256: it is inside the kustomization",
        ),
        ("resources: []", {}, "there is no krmfn configuration [input]"),
        ("generators: [none.yaml]", {}, "none.yaml is not there, and nothing is fetched [file]"),
    ],
    ids=["store", "json patch", "strategic patch", "inline", "one line", "nothing", "missing"],
)
def test_a_certificate_that_is_set_elsewhere(
    fields: str, files: dict[str, str], said: str, overlay: Path
) -> None:
    """Refused with the place that sets it; other overlays are not changed either."""
    other = overlay.parent / "other"
    shutil.copytree(overlay, other)
    for name, text in files.items():
        (overlay / name).parent.mkdir(exist_ok=True)
        (overlay / name).write_text(text)
    (overlay / "kustomization.yaml").write_text(f"{fields}\n")
    before = snapshot(overlay.parent)
    done = rotate("cert", other, overlay, "--to", NEW_FILE)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert snapshot(overlay.parent) == before


def test_paths_are_relative_to_who_lists(overlay: Path) -> None:
    """A shared configuration in another directory names each overlay's own certificate."""
    (overlay.parent / "krmfn").mkdir()
    (overlay / "krmfn.yaml").rename(overlay.parent / "krmfn/config.yaml")
    (overlay.parent / "krmfn/kustomization.yaml").write_text("resources: [config.yaml]\n")
    (overlay / "kustomization.yaml").write_text("generators: [../krmfn]\n")
    shutil.copytree(overlay, overlay.parent / "other")
    done = rotate("cert", "--to", NEW_FILE, overlay, overlay.parent / "other")
    assert (done.returncode, done.stderr) == (0, "2 files changed\n")
    assert (overlay.parent / "other/certs/c.pem").read_text() == NEW_PEM


def test_the_configuration_of_seal(claims: Path) -> None:
    """A file by itself, its paths relative to it; claims alone say nothing of how they are sealed."""
    config = claims.parent / "sealing.yaml"
    config.write_text(TRANSFORMER.replace("certs/c.pem", "overlays/dev/certs/c.pem"))
    done = rotate("cert", "sealing.yaml", "--to", NEW_FILE, cwd=claims.parent)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    assert (claims / "dev/certs/c.pem").read_text() == NEW_PEM
    done = rotate("epoch", config)
    assert "+++ b/sealing.yaml\n" in done.stdout
    done = rotate("epoch", claims.parent / "base")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no configuration that seals; name the file that" in done.stderr
    assert rotate("epoch", claims / "no").returncode == 2


# --- versions


def write(bao: OpenBao, path: str, times: int) -> int:
    """Write a secret until it has that many more versions; returns the newest."""
    return [bao.write("secret", path, {"password": f"n3w-{n}"}) for n in range(times)][-1]


def test_versions_of_a_generator(overlay: Path, openbao: OpenBao) -> None:
    """Each pin to the newest; what has no pin gets none; the derivation key's stays."""
    db, everything = write(openbao, "build/db", 3), write(openbao, "build/all", 4)
    done = rotate("versions", overlay, **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    expected = CONFIG.replace("version: 1}   # reviewed", f"version: {db}}}   # reviewed")
    expected = expected.replace("version: 2}", f"version: {everything}}}")
    assert (overlay / "krmfn.yaml").read_text() == expected
    assert "n3w" not in done.stdout
    assert rotate("versions", overlay, **openbao.environ).stderr == "nothing to change\n"


def test_versions_of_claims(claims: Path, openbao: OpenBao) -> None:
    """A claim of the base, whose store the overlays' transformers define."""
    newest = write(openbao, "build/db", 2)
    done = rotate("versions", claims / "dev", claims / "prod", **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    expected = CLAIM.replace("version: 1", f"version: {newest}")
    assert (claims.parent / "base/claims.yaml").read_text() == expected


def test_versions_of_short_claims(claims: Path, openbao: OpenBao) -> None:
    """The pin of `from`, in the one store that there is."""
    newest = write(openbao, "build/db", 2)
    short = CLAIM.partition("  store:")[0] + (
        "  from: {key: build/db, version: 1}   # reviewed\n  keys: [password]\n"
    )
    (claims.parent / "base/claims.yaml").write_text(short)
    done = rotate("versions", claims / "dev", claims / "prod", **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    expected = short.replace("version: 1", f"version: {newest}")
    assert (claims.parent / "base/claims.yaml").read_text() == expected


def test_versions_of_the_platforms_store(overlay: Path, openbao: OpenBao, tmp_path: Path) -> None:
    """The policy says which store it is; without one, or without that store, it is refused."""
    db = write(openbao, "build/db", 3)
    write(openbao, "build/all", 2)
    own = CONFIG.replace("{vault: {path: secret, id: platform}}", "{platform: true}")
    (overlay / "krmfn.yaml").write_text(own)
    done = rotate("versions", overlay, **openbao.environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "stores.main: it is the platform's to define, and there is no policy" in done.stderr
    environ = write_platform(tmp_path / "p/p.yaml") | openbao.environ
    done = rotate("versions", overlay, **environ)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    assert f"version: {db}}}   # reviewed" in (overlay / "krmfn.yaml").read_text()
    (overlay / "krmfn.yaml").write_text(own.replace("main", "other"))
    done = rotate("versions", overlay, **environ)
    assert (done.returncode, done.stdout) == (6, "")
    assert "the platform has no store other" in done.stderr


def test_one_pin_for_two_vaults(claims: Path, openbao: OpenBao) -> None:
    """Overlays that share a pin, and whose stores have other versions, need a pin each."""
    openbao.mount("rotate-other", "kv", version="2")
    write(openbao, "build/db", 3)
    openbao.write("rotate-other", "build/db", {"password": "x"})
    openbao.write("rotate-other", "build/db", {"password": "x"})
    (claims / "dev/krmfn.yaml").write_text(TRANSFORMER.replace("MOUNT", "rotate-other"))
    done = rotate("versions", claims / "dev", claims / "prod", **openbao.environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "base/claims.yaml:8:74: version: overlays that share it need 2 and " in done.stderr


def test_deleted_versions_are_left_out(overlay: Path, openbao: OpenBao) -> None:
    """The newest that can be read; a pin is never lowered; none left is an error with its place."""
    for path in ("build/db", "build/all"):
        openbao.request("DELETE", f"secret/metadata/{path}")
        write(openbao, path, 4)
    openbao.request("POST", "secret/delete/build/db", {"versions": [4]})
    openbao.request("PUT", "secret/destroy/build/db", {"versions": [3]})
    openbao.request("POST", "secret/delete/build/all", {"versions": [2, 3, 4]})
    done = rotate("versions", overlay, **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "1 file changed\n")
    text = (overlay / "krmfn.yaml").read_text()
    assert "version: 2}   # reviewed" in text
    assert 'key: "build/all", version: 2}' in text
    openbao.request("POST", "secret/delete/build/all", {"versions": [1]})
    done = rotate("versions", overlay, **openbao.environ)
    assert (done.returncode, done.stdout) == (3, "")
    assert (
        "overlays/prod/krmfn.yaml:22:35: main:secret/build/all: no version is left" in done.stderr
    )


def test_stores_without_versions(claims: Path, openbao: OpenBao) -> None:
    """KV 1 keeps none, nor does an age store: a pin there is a mistake, told where it stands."""
    openbao.mount("rotate-v1", "kv", version="1")
    (claims / "dev/krmfn.yaml").write_text(TRANSFORMER.replace("MOUNT", "rotate-v1"))
    done = rotate("versions", claims / "dev", **openbao.environ)
    assert (done.returncode, done.stdout) == (3, "")
    assert "base/claims.yaml:8:74: main:rotate-v1/build/db: KV version 1 keeps no" in done.stderr
    for file in (ROOT / "examples/age").iterdir():
        if file.suffix in (".age", ".txt"):
            shutil.copy(file, claims / "dev" / file.name)
    age = "age: {file: secrets.age, identityRef: {file: demo-identity.txt}}"
    (claims / "dev/krmfn.yaml").write_text(TRANSFORMER.replace("vault: {path: MOUNT}", age))
    done = rotate("versions", claims / "dev")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("[error] krmfn rotate: base/claims.yaml:8:74: main:build/db: ")
    assert done.stderr.endswith("[version-unsupported]\n")


POLICY = 'path "secret/data/*" { capabilities = ["read"] }\n'


def test_metadata_alone_is_enough(overlay: Path, openbao: OpenBao) -> None:
    """With read on metadata no value is read: the token may not."""
    write(openbao, "build/db", 2)
    write(openbao, "build/all", 2)
    token = openbao.token_for('path "secret/metadata/build/*" { capabilities = ["read"] }')
    environ = {**openbao.environ, "VAULT_TOKEN": token}
    done = rotate("versions", overlay, "--dry-run", **environ)
    assert (done.returncode, done.stderr) == (0, "1 file would change\n")


def test_without_metadata_the_secret_is_read(overlay: Path, openbao: OpenBao) -> None:
    """A token for builds will do; it says what was read, and what would avoid it."""
    newest = write(openbao, "build/db", 2)
    write(openbao, "build/all", 2)
    environ = {**openbao.environ, "VAULT_TOKEN": openbao.token_for(POLICY)}
    each = rotate("-v", "versions", overlay, "--dry-run", **environ)
    assert each.returncode == 0
    assert each.stderr.splitlines() == [
        *(
            f"[warning] krmfn rotate: main:secret/build/{name}: its metadata may not be read, so the "
            f'secret was; a policy with path "secret/metadata/build/{name}" '
            '{ capabilities = ["read"] } avoids that [version-unreadable]'
            for name in ("all", "db")
        ),
        "1 file would change",
    ]
    done = rotate("versions", overlay, **environ)
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        [
            "[warning] krmfn rotate: 2 times: main:secret/build/all, main:secret/build/db: its "
            "metadata may not be read, so the secret was; -v shows each [version-unreadable]",
            "1 file changed",
        ],
    )
    assert f"version: {newest}}}   # reviewed" in (overlay / "krmfn.yaml").read_text()
    assert "n3w" not in done.stdout + done.stderr


def test_a_token_that_may_nothing(overlay: Path, openbao: OpenBao) -> None:
    """The policy that is needed is told, with the pin's position; nothing is changed."""
    before = snapshot(overlay)
    environ = {
        **openbao.environ,
        "VAULT_TOKEN": openbao.token_for('path "x/*" { capabilities = ["read"] }'),
    }
    done = rotate("versions", overlay, **environ)
    assert (done.returncode, done.stdout) == (3, "")
    assert ": main:secret: nothing is mounted there, or the token may not know" in done.stderr
    assert snapshot(overlay) == before


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (
            CLAIM.replace("version: 1", "version: 7"),
            "p.yaml:1:1: a patch sets a version; change it by hand [in-place]",
        ),
        (
            CLAIM.replace(", version: 1", ""),
            "p.yaml:1:1: a patch sets spec.data of SecretClaim/db",
        ),
        (
            CLAIM.partition("  data:")[0],
            "p.yaml:1:1: a patch sets spec.store of SecretClaim/db",
        ),
    ],
)
def test_pins_that_patches_decide(patch: str, said: str, claims: Path, openbao: OpenBao) -> None:
    """A version in a patch, and a patch that changes where a pinned reference leads."""
    write(openbao, "build/db", 2)
    (claims / "dev/p.yaml").write_text(patch)
    with (claims / "dev/kustomization.yaml").open("a") as file:
        file.write("patches: [{path: p.yaml}]\n")
    before = snapshot(claims.parent)
    done = rotate("versions", claims / "dev", **openbao.environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert snapshot(claims.parent) == before


def test_a_patch_of_another_claim_does_not_matter(claims: Path, openbao: OpenBao) -> None:
    """Only what is pinned and patched is refused."""
    newest = write(openbao, "build/db", 2)
    (claims / "dev/p.yaml").write_text(CLAIM.replace("name: db", "name: other"))
    with (claims / "dev/kustomization.yaml").open("a") as file:
        file.write("patches: [{path: p.yaml}]\n")
    done = rotate("versions", claims / "dev", **openbao.environ)
    assert done.returncode == 0, done.stderr
    assert f"version: {newest}" in (claims.parent / "base/claims.yaml").read_text()


def test_a_store_that_nobody_defines(claims: Path) -> None:
    """The pin's position and the store's name."""
    text = (claims / "dev/krmfn.yaml").read_text()
    (claims / "dev/krmfn.yaml").write_text(text.replace("main:", "other:"))
    done = rotate("versions", claims / "dev")
    assert done.returncode == 2
    assert "base/claims.yaml:8:74: version: nothing defines the store main" in done.stderr


# --- what follows


def test_a_rotation_is_built_as_usual(tmp_path: Path, openbao: OpenBao) -> None:
    """After rotating certificate and epoch the overlay builds, sealed for the new certificate."""
    repo.seed(openbao)
    overlay = repo.repository(tmp_path)
    for arguments in (("cert", "--to", NEW_FILE), ("epoch",)):
        assert rotate(*arguments, overlay).returncode == 0
    assert json.loads((overlay / "krmfn.yaml").read_text())["spec"]["sealing"]["epoch"] == "2"
    done = krmfn("build", overlay, KRMFN_KUSTOMIZE=str(KUBECTL), **openbao.environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"krmfn.dev/certificate: {NEW}" in done.stdout
