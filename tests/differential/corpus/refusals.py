"""What no route builds: where the others refuse, so does `krmfn build`, for the same reason."""

from __future__ import annotations

from tests.differential.trees import (
    MARKER_PATCH,
    Tree,
    claim,
    claims,
    generated,
    generator,
    secret,
    transformer,
)

TREES: list[Tree] = [
    generated("generator-under-a-prefix", top="namePrefix: p-", refused="name-changes"),
    generated("generator-under-a-suffix", top="nameSuffix: -s", refused="name-changes"),
    generated("generator-without-a-namespace", top="namespace: null", refused="namespace-missing"),
    claims("transformer-without-a-namespace", top="namespace: null", refused="namespace-missing"),
    claims(
        "transformer-of-another-namespace",
        files={"top/krmfn.yaml": transformer(namespace="other")},
        refused="namespace-contradiction",
    ),
    claims("claim-that-nobody-seals", top="transformers!: null", refused="claim-left"),
    claims("value-missing", of=[claim("db", "app/nothing")], refused="not-found"),
    claims(
        "property-missing",
        of=[claim(data=[{"secretKey": "x", "remoteRef": {"key": "app/db", "property": "nope"}}])],
        refused="property-missing",
    ),
    claims(
        "value-empty",
        of=[claim(data=[{"secretKey": "x", "remoteRef": {"key": "app/odd", "property": "empty"}}])],
    ),
    claims("claim-with-an-unknown-field", of=[claim(unknown=1)], refused="spec"),
    claims(
        "store-unknown",
        of=[claim(store="other")],
        refused="spec",
    ),
    claims(
        "certificate-missing",
        files={"top/krmfn.yaml": transformer(certificate={"file": "nothing.pem"})},
        refused="file",
    ),
    claims(
        "plain-secret",
        base="resources: [s.yaml]",
        files={
            "base/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"
        },
        refused="plain-secret",
    ),
    claims(
        "generator-listed-as-a-transformer",
        top="transformers!: [krmfn.yaml, skip-marker.yaml]",
        files={"top/krmfn.yaml": generator()},
        refused="wrong-list",
    ),
    claims(
        "validator-listed-as-a-transformer",
        top="transformers: [validator.yaml]\nvalidators!: null",
        refused="wrong-list",
    ),
    claims(
        "claim-listed-as-a-transformer",
        top="transformers: [../base/claims.yaml]",
        refused="kustomize",
    ),
    claims(
        "marker-deleted-before-it-is-there",
        top="transformers!: [skip-marker.yaml, krmfn.yaml]",
        refused="kustomize",
    ),
    claims(
        "two-claims-of-one-name",
        of=[claim(), claim("db", "app/mail")],
        refused="kustomize",
    ),
    claims(
        "claim-and-generator-of-one-name",
        files={
            "base/kustomization.yaml": "resources: [deployment.yaml, claims.yaml]\n",
            "top/g.yaml": generator(secret(), name="g"),
            "top/kustomization.yaml": "namespace: production\nresources: [../base]\n"
            "generators: [g.yaml]\ntransformers: [krmfn.yaml, skip-marker.yaml]\n",
            "top/skip-marker.yaml": MARKER_PATCH,
        },
        refused="ambiguous-producer",
    ),
    claims("missing-resource", top="resources: [nothing.yaml]", refused="kustomize"),
    claims(
        "bad-yaml", base="resources: [b.yaml]", files={"base/b.yaml": "a: [\n"}, refused="kustomize"
    ),
    claims(
        "duplicate-key",
        files={
            "base/kustomization.yaml": "resources: [deployment.yaml, claims.yaml]\n"
            "nameSuffix: -a\nnameSuffix: -b\n"
        },
    ),
    claims("cycle", base="resources: [../top]", refused="kustomize"),
]
