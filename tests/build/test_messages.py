"""What of a failed kustomize is told."""

from __future__ import annotations

import pytest

from krmfn.build import messages

WARNING = "# Warning: 'patchesStrategicMerge' is deprecated. Please use 'patches' instead.\n"


@pytest.mark.parametrize(
    "errors",
    [
        "Error: no such file /h/tree/base\n",
        f"{WARNING}Error: no such file /h/tree/base\n",
        f'{WARNING}E1124 20:36:15.999560   20733 run.go:72] "command failed" '
        'err="no such file /h/tree/base"\n',
        "no such file /h/tree/base\nand more\n",
    ],
)
def test_its_error(errors: str) -> None:
    """The error, not a warning before it, as each version writes it; with the repository's own paths."""
    names = {"/h/tree": "/r"}
    error = messages.failure(errors, names)
    assert error.line() == "kustomize fails: no such file /r/base [kustomize]"


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        (
            "error: loading KV pairs: literal sources [hunter2]: invalid literal source hunter2, x",
            "loading KV pairs",
        ),
        (
            "error: loading KV pairs: env source files: [.env]: line [65 104] has invalid utf8 bytes",
            "loading KV pairs: env source files: [.env]",
        ),
        (
            "Error: line 2 has invalid utf8 bytes : hunter2",
            "line 2 has",
        ),
        (
            "Error: trouble configuring builtin PatchTransformer with config: `\npatch: hunter2\n`: x",
            "trouble configuring builtin PatchTransformer with",
        ),
        (
            'Error: plugin p fails configuration: unable to parse SM or JSON patch from [patch: "hunter2"]',
            "plugin p fails configuration: unable to parse SM or JSON",
        ),
        (
            "Error: must specify a target for patch [{op: add, path: /data/x, value: hunter2}]",
            "must",
        ),
        (
            "Error: evalsymlink failure on '/h/tree/{kind: Secret, stringData: {a: hunter2}}' : lstat x",
            "evalsymlink failure on '/r/",
        ),
        (
            'E1124 20:36:15.9 1 run.go:72] "command failed" err="find field: wrong node kind: expected '
            'MappingNode but got ScalarNode: node contents:\\nhunter2\\n"',
            "find field: wrong node kind: expected MappingNode but got ScalarNode",
        ),
        (
            'E1124 20:36:15.9 1 run.go:72] "command failed" err="evalsymlink failure\\nhunter2\\n"',
            "evalsymlink failure",
        ),
        (
            "Error: options.index 3 is out of bounds for value hunter2",
            "options.index 3 is out of bounds",
        ),
        (
            "Error: MalformedYAMLError: yaml: unknown anchor 'hunter2' referenced in File: s.yaml",
            "MalformedYAMLError: yaml: unknown",
        ),
        (
            "Error: x: cannot unmarshal !!str `hunter2` into map[string]string",
            "x: cannot",
        ),
        (
            "Error: node data.a is not a string: map[a:hunter2]",
            "node data.a",
        ),
    ],
)
def test_what_it_quotes(errors: str, told: str) -> None:
    """A message is cut where it begins to quote a file, as any of its versions may."""
    names = {"/h/tree": "/r"}
    line = messages.failure(errors, names).line()
    assert line == (
        f"kustomize fails: {told}: …; what it quotes of a file is not shown; run kustomize itself to "
        "see it [kustomize]"
    )


@pytest.mark.parametrize(
    "errors",
    [
        "accumulating resources: accumulating resources from 's.yaml': MalformedYAMLError: yaml: "
        "line 4: did not find expected key in File: s.yaml",
        "invalid Kustomization: json: cannot unmarshal string into Go struct field "
        "Kustomization.secretGenerator of type []types.SecretArgs",
        'no resource matches strategic merge patch "Secret.v1.[noGrp]/b.[noNs]": no matches for Id '
        "Secret.v1.[noGrp]/b.[noNs]; failed to find unique target for patch "
        "Secret.v1.[noGrp]/b.[noNs]",
        "configmap a illegally repeats the key `a`",
        'invalid Kustomization: json: unknown field "literal"',
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value",
    ],
)
def test_what_quotes_nothing(errors: str) -> None:
    """A message that names files, kinds and fields is told whole."""
    line = messages.failure(f"Error: {errors}\n", {}).line()
    assert line == f"kustomize fails: {errors} [kustomize]"


@pytest.mark.parametrize(
    ("errors", "is_memory"),
    [
        ("fatal error: runtime: out of memory\n", True),
        ("fatal error: runtime: cannot allocate memory\nruntime stack:\n", True),
        ("SIGSEGV: segmentation violation\nPC=0x40 m=0 sigcode=1\n", True),
        ("panic: runtime error: invalid memory address or nil pointer dereference\n"
         "[signal SIGSEGV: segmentation violation code=0x1]\n", False),
        ("Error: a file is called SIGSEGV: memory\n", False),
    ],
)  # fmt: skip
def test_want_of_memory(errors: str, is_memory: bool) -> None:
    """Go's runtime says it in several ways; a bug of kustomize's looks different."""
    assert messages.out_of_memory(errors) is is_memory


def test_silence() -> None:
    """It may say nothing at all."""
    assert messages.failure(WARNING, {}).line() == "kustomize fails: it says nothing [kustomize]"
