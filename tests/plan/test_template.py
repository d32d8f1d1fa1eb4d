"""The closed template language: Go's answers where it is taken, a position where it is not."""

from __future__ import annotations

import pytest

from krmfn.errors import SealingError, SpecError
from krmfn.plan import template_functions
from krmfn.plan.template import ValueTemplate

# Templates that Go's text/template with sprig was run on, over these values, and what it printed.
VALUES: dict[str, str] = {
    "a": "x y",
    "b": 'q"\\\n<&>é',
    "nl": "l1\nl2\n",
    "e": "",
    "bin64": "YWJj",
    "u": "ÀbÇ",
    "name-x": "dash",
    "sp": "\t\xa0 z \x1c\n",
    "z": "\x00\x1f\x7f\x80\xa0\u200b\u2028😀�",
    "t": "--x--",
}

GO: dict[str, bytes] = {
    "{{ .a -}} \u00a0 b{{ .a }}": b"x y\xc2\xa0 bx y",
    "{{ .a }}": b"x y",
    '{{ .e | default "d" }}': b"d",
    '{{ default "d" .a }}': b"x y",
    "{{ .e | default .a | upper }}": b"X Y",
    '{{ "--x" | trimPrefix "--" | default "d" }}': b"x",
    '{{ trimSuffix "y" .a | replace " " "" }}': b"x",
    "{{.a}}": b"x y",
    "a{{- .a -}} b": b"ax yb",
    "a\xa0{{- .a -}}\xa0b": b"a\xc2\xa0x y\xc2\xa0b",
    "a \t\r\n{{- .a -}}\r\n b": b"ax yb",
    "{{ .a  -}} b": b"x yb",
    "{{ .a\n-}} b": b"x yb",
    "{{ .a\n  -}} b": b"x yb",
    "{{- .a}}": b"x y",
    "{{/* c */}}x": b"x",
    "{{- /* c */ -}} x": b"x",
    "{{/**/}}": b"",
    "{{/***/}}": b"",
    "{{/* a * b / */}}": b"",
    "a {{- /* multi\nline */ -}} b": b"ab",
    '{{ print "a" "b" }}': b"ab",
    "{{ (.a) }}": b"x y",
    "{{ (b64enc .a) }}": b"eCB5",
    "{{ print (.a) (.b) }}": b'x yq"\\\n<&>\xc3\xa9',
    "{{(print .a)|b64enc}}": b"eCB5",
    "{{.a|b64enc|b64dec}}": b"x y",
    '{{ index . "name-x" }}': b"dash",
    "{{ index . `name-x` | b64enc }}": b"ZGFzaA==",
    '{{ b64enc (index . "name-x") }}': b"ZGFzaA==",
    "x }} y": b"x }} y",
    "{ {.a} }": b"{ {.a} }",
    "{{ .a }}}": b"x y}",
    '{{ "\\x41" }}': b"A",
    '{{ "\\u00e9" }}': b"\xc3\xa9",
    '{{ "\\a\\b\\f\\n\\r\\t\\v\\\\\\"" }}': b'\x07\x08\x0c\n\r\t\x0b\\"',
    '{{ `a\\n"` }}': b'a\\n"',
    "{{ `a\r\nb` }}": b"a\nb",
    '{{ "}}" }}': b"}}",
    '{{ "{{" }}': b"{{",
    "{{ 5 }}": b"5",
    "{{ .b | quote }}": b'"q\\"\\\\\\n<&>\xc3\xa9"',
    "{{ .b | squote }}": b"'q\"\\\n<&>\xc3\xa9'",
    "{{ .b | toJson }}": b'"q\\"\\\\\\n\\u003c\\u0026\\u003e\xc3\xa9"',
    "{{ .z | quote }}": b'"\\x00\\x1f\\x7f\\u0080\\u00a0\\u200b\\u2028\xf0\x9f\x98\x80\xef\xbf\xbd"',
    "{{ .z | toJson }}":  # DEL and NEL stay, U+2028 does not
    b'"\\u0000\\u001f\x7f\xc2\x80\xc2\xa0\xe2\x80\x8b\\u2028\xf0\x9f\x98\x80\xef\xbf\xbd"',
    "{{ .b | toString }}": b'q"\\\n<&>\xc3\xa9',
    "{{ .sp | trim }}": b"z \x1c",
    '{{ .t | trimAll "-" }}': b"x",
    '{{ .a | trimAll "x y" }}': b"",
    '{{ .t | trimPrefix "--" }}': b"x--",
    '{{ .t | trimSuffix "--" }}': b"--x",
    '{{ .t | trimPrefix "zz" }}': b"--x--",
    "{{ .a | upper }}": b"X Y",
    '{{ "ABC" | lower }}': b"abc",
    '{{ .a | replace " " "_" }}': b"x_y",
    '{{ .u | replace "" "." }}': b".\xc3\x80.b.\xc3\x87.",
    '{{ .a | replace "x" "" }}': b" y",
    "{{ .nl | indent 2 }}": b"  l1\n  l2\n  ",
    "{{ .nl | nindent 2 }}": b"\n  l1\n  l2\n  ",
    "{{ indent 0 .nl }}": b"l1\nl2\n",
    "{{ .a | urlquery }}": b"x+y",
    "{{ .b | urlquery }}": b"q%22%5C%0A%3C%26%3E%C3%A9",
    '{{ "-_.~!*()\'/:@" | urlquery }}': b"-_.~%21%2A%28%29%27%2F%3A%40",
    "{{ .a | sha256sum }}": b"887fcea6a80333c6c02ae7e79735f0edad8d811f0b61431495f796f4bf6a7c19",
    "{{ .z | sha256sum }}": b"8e219b43b13e4db7a3ba8eae1a20b32983a889ad65057488d2c56f43b27c1e25",
    "{{ .bin64 | b64dec }}": b"abc",
    '{{ printf "%s:%s@%%" .a .b }}': b'x y:q"\\\n<&>\xc3\xa9@%',
    '{{ printf "%%%s" .a }}': b"%x y",
    '{{ .a | printf "%s-%s" .t }}': b"--x---x y",
    '{{ print .a "/" .t }}': b"x y/--x--",
    "{{ print .a }}": b"x y",
    '{{ .a | print "p" }}': b"px y",
    "{{ .a | b64enc | quote | indent 1 }}": b' "eCB5"',
    "{{ .a|upper }}": b"X Y",
    "{{\n.a\n|\nb64enc\n}}": b"eCB5",
    '{{ "a"|b64enc}}': b"YQ==",
    "{{ .e | quote }}": b'""',
    "{{ .e | trim }}": b"",
    "{{ .e | indent 2 }}": b"  ",
    '{{ .e | replace "" "x" }}': b"x",
    "{{ .a | nindent 2 | trim }}": b"x y",
    "{{ .a }}{{ .t }}": b"x y--x--",
    "{{ .a -}}{{- .t }}": b"x y--x--",
    '{{ "" }}': b"",
    "{{ `` }}": b"",
    '{{ .a | trimAll "" }}': b"x y",
    '{{ .a | trimPrefix "" }}': b"x y",
    "{{ (((.a))) }}": b"x y",
    "{{ .a | b64enc}}{{/* t */}}": b"eCB5",
    '{{ "x" }}}}': b"x}}",
}

# What is refused, whether or not Go takes it, and where.
REFUSED: dict[str, str] = {
    "{{ .a - }}": "1:7: the action does not end here",
    "{{-.a}}": "1:3: a .key, a string or a function is expected",
    "{{ .a-}}": '1:4: only .key is understood; any other name is written index . "name"',
    "{{ /* c */}}": "1:4: a .key, a string or a function is expected",
    "{{/* c */ }}": "1:3: a .key, a string or a function is expected",
    "{{/* a */ x }}T{{/* b */}}": "1:3: a .key, a string or a function is expected",
    "{{-  /* c */ -}}": "1:6: a .key, a string or a function is expected",
    "{{ .a.b }}": '1:4: only .key is understood; any other name is written index . "name"',
    "{{ print .a.b }}": '1:10: only .key is understood; any other name is written index . "name"',
    '{{ print .a"x" }}': '1:10: only .key is understood; any other name is written index . "name"',
    '{{ print "a""b" }}': "1:10: the string does not end, or has an escape that is not understood",
    "{{ print(.a) }}": "1:4: a .key, a string or a function is expected",
    "{{ (.a).b }}": "1:7: a ) is missing",
    "{{ print (.a)(.b) }}": "1:13: a ) is missing",
    '{{ .a | index . "b" }}': "1:9: index takes nothing from |",
    '{{ "name-x" | index . }}': "1:15: index takes nothing from |",
    '{{ index ."name-x" }}': '1:10: index takes . and "name"',
    "{{ .name-x }}": '1:4: only .key is understood; any other name is written index . "name"',
    "{{ .a | }}": "1:9: only a function can follow |",
    "{{ | .a }}": "1:4: a .key, a string or a function is expected",
    "{{ }}": "1:4: a .key, a string or a function is expected",
    "{{ . }}": "1:4: a .key, a string or a function is expected",
    "{{": "1:3: a .key, a string or a function is expected",
    "{{ .a": "1:6: the action does not end here",
    "{{ .a }": "1:7: the action does not end here",
    "{{{ .a }}": "1:3: a .key, a string or a function is expected",
    '{{ "\\q" }}': "1:4: the string does not end, or has an escape that is not understood",
    '{{ "\\\'" }}': "1:4: the string does not end, or has an escape that is not understood",
    '{{ "\\101" }}': "1:4: the string does not end, or has an escape that is not understood",
    '{{ "\\xff" }}': "1:4: the string does not end, or has an escape that is not understood",
    '{{ "\\ud800" }}': "1:4: the string does not end, or has an escape that is not understood",
    '{{ "\\U0001F600" }}': "1:4: the string does not end, or has an escape that is not understood",
    '{{ "a\nb" }}': "1:4: the string does not end, or has an escape that is not understood",
    '{{ "a': "1:4: the string does not end, or has an escape that is not understood",
    "{{ 'a' }}": "1:4: a .key, a string or a function is expected",
    "{{ 010 }}": "1:4: a .key, a string or a function is expected",
    "{{ 0x10 }}": "1:4: a .key, a string or a function is expected",
    "{{ 1.5 }}": "1:4: a .key, a string or a function is expected",
    "{{ -1 }}": "1:4: a .key, a string or a function is expected",
    "{{ 1_0 }}": "1:4: a .key, a string or a function is expected",
    "{{ true }}": "1:4: true is not part of the language",
    "{{ nil }}": "1:4: nil is not part of the language",
    "{{ if .a }}x{{ end }}": "1:4: if is not part of the language",
    "{{ range . }}{{ end }}": "1:4: range is not part of the language",
    "{{ with .a }}{{ end }}": "1:4: with is not part of the language",
    '{{ define "x" }}{{ end }}': "1:4: define is not part of the language",
    '{{ template "x" }}': "1:4: template is not part of the language",
    "{{ $x := .a }}": "1:4: a .key, a string or a function is expected",
    "{{ $ }}": "1:4: a .key, a string or a function is expected",
    "{{ .a | env }}": "1:9: there is not a function env: a template sees values alone",
    '{{ env "HOME" }}': "1:4: there is not a function env: a template sees values alone",
    "{{ len .a }}": f"1:4: there is not a function len: {template_functions.REFUSED['len']}",
    "{{ .a, .b }}": '1:4: only .key is understood; any other name is written index . "name"',
    '{{ printf "%%s" }}': "1:4: printf takes 2 operands, not 1",
    '{{ printf "%d" 3 }}': "1:4: printf takes no number here",
    '{{ printf "%s" }}': "1:4: printf takes 2 operands, not 1",
    "{{ b64enc b64dec }}": "1:11: a .key, a string or a function is expected",
    "{{ b64enc }}": "1:4: b64enc takes 1 operand, not 0",
    "{{ .a b64enc }}": "1:7: the action does not end here",
    "{{ .a .b }}": "1:7: the action does not end here",
    "{{ (.a }}": "1:8: a ) is missing",
    "{{ .a) }}": "1:6: the action does not end here",
    "{{ 3|print}}": "1:6: print takes no number here",
    "{{ .a | b64enc\xa0}}": "1:9: only a function can follow |",
    "{{\xa0.a }}": "1:3: a .key, a string or a function is expected",
    "{{\x0b.a }}": "1:3: a .key, a string or a function is expected",
    "{{ .À }}": "1:4: a .key, a string or a function is expected",
    "{{ 1 | b64enc }}": "1:8: b64enc takes no number here",
    '{{ "x" | indent "1" }}': "1:10: indent takes a number here",
    "{{ (print) }}": "1:5: print takes 1 operand, not 0",
    "{{ print }}": "1:4: print takes 1 operand, not 0",
    '{{ printf "%v" .a }}': "1:4: printf understands %s and %% only",
    '{{ printf "%q" .a }}': "1:4: printf understands %s and %% only",
    "{{ .a | (b64enc) }}": "1:9: only a function can follow |",
    '{{ .a | "x" }}': "1:9: only a function can follow |",
    "{{ .a | .b }}": "1:9: only a function can follow |",
    "{{break}}": "1:3: break is not part of the language",
    '{{ block "x" . }}{{end}}': "1:4: block is not part of the language",
}


def render(text: str, **values: bytes) -> bytes:
    return ValueTemplate(text).render(values)


def refusal(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        ValueTemplate(text)
    return caught.value


def failure(text: str, **values: bytes) -> str:
    with pytest.raises(SealingError) as caught:
        render(text, **values)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value.line()


@pytest.mark.parametrize("text", GO)
def test_what_is_taken_means_what_it_means_in_go(text: str) -> None:
    """Every accepted template prints the bytes that Go prints."""
    assert ValueTemplate(text).render({k: v.encode() for k, v in VALUES.items()}) == GO[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_in_the_language_is_refused_with_its_position(text: str) -> None:
    """Anything else is refused before a value is seen, with line, column and reason."""
    error = refusal(text)
    assert error.line() == (
        f"template {REFUSED[text]}; see docs/templates.md for the language [template]"
    )


def test_a_position_counts_lines_and_characters() -> None:
    """Line and column count from 1, in characters."""
    assert refusal("é\nàé {{ .a | nope }}").message == "template 2:12: there is not a function nope"
    assert refusal("a\n\n{{\n  if }}").message == "template 4:3: if is not part of the language"


def test_text_without_actions_is_itself() -> None:
    """Text stands as it is, whatever it holds."""
    assert render("{ } }} é\0\r\n") == "{ } }} é\0\r\n".encode()


def test_bytes_pass_unchanged() -> None:
    """A value that is no text can be placed, encoded and hashed."""
    value = bytes(range(256))
    assert render("{{ .v }}", v=value) == value
    assert render("{{ .v | b64enc | b64dec }}", v=value) == value


def test_the_variables_are_known_before_rendering() -> None:
    """All names, wherever they stand; none of them from text or strings."""
    template = ValueTemplate(
        '.no {{ .a }}{{ print (b64enc .b) (index . "c-d") ".e" | quote }}{{/* .f */}}'
    )
    assert template.variables() == {"a", "b", "c-d"}


@pytest.mark.parametrize("text", ["{{ .a }}", '{{ index . "a" }}', "x {{- (print .a) }}"])
def test_a_missing_variable_is_an_error(text: str) -> None:
    """An absent variable is never an empty string."""
    line = failure(text, b=b"canary")
    assert line.startswith("template 1:")
    assert line.endswith("there is no a; add a to data [value]")


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("{{ .v | b64dec }}", b"canary!", "b64dec: the value is not base64"),
        ("{{ .v | b64dec }}", b"YQ", "b64dec: the value is not base64"),
        ("{{ .v | quote }}", b"canary\xff", "quote: the value is not UTF-8 text"),
        ("{{ .v | toJson }}", b"canary\xff", "toJson: the value is not UTF-8 text"),
        ("{{ .v | trim }}", b"canary\xff", "trim: the value is not UTF-8 text"),
        ('{{ .v | trimAll "x" }}', b"canary\xff", "trimAll: the value is not UTF-8 text"),
        ('{{ .v | replace "" "x" }}', b"canary\xff", "replace: the value is not UTF-8 text"),
        ("{{ .v | upper }}", "canary ß".encode(), "upper: the value is not ASCII text"),
        ("{{ .v | lower }}", "canary İ".encode(), "lower: the value is not ASCII text"),
        ("{{ .v | upper }}", b"canary\xff", "upper: the value is not UTF-8 text"),
    ],
)
def test_a_value_that_a_function_cannot_take(text: str, value: bytes, reason: str) -> None:
    """The message names function and place, and nothing of the value."""
    line = failure(text, v=value)
    assert line == f"template 1:9: {reason} [value]"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ .v | b64enc" + " | b64enc" * 20 + " }}", "b64enc: the value is too large"),
        ('{{ "a"' + ' | replace "a" "aaaaaaaaaaaaaaaa"' * 20 + " }}", "replace: the value is too large"),
        ("{{ .n | indent 1024 }}", "indent: the value is too large"),
        ("{{ .n | nindent 1024 }}", "nindent: the value is too large"),
        ("{{ print " + ".v " * 50 + "}}", "print: the value is too large"),
        ('{{ "' + "%s" * 50 + '" | printf "%s" }}' + "{{ .v }}" * 50, "the template's result is too large"),
        ("{{ .q" + " | quote" * 30 + " }}", "quote: the value is too large"),
    ],
)  # fmt: skip
def test_a_result_cannot_grow_without_bound(text: str, reason: str) -> None:
    """Chains that multiply end with an error, before the memory does."""
    line = failure(text, v=b"v" * 100_000, n=b"\n" * 100_000, q=b'"' * 100)
    assert line.endswith(f"{reason} [value]")


def test_nesting_is_bounded() -> None:
    """Twenty parentheses are taken, a hundred thousand are an error and no crash."""
    assert render("{{ " + "(" * 20 + ".a" + ")" * 20 + " }}", a=b"x") == b"x"
    assert refusal("{{ " + "(" * 21 + ".a" + ")" * 21 + " }}").message.endswith("nested too deeply")
    assert refusal("{{ " + "(" * 100_000).message.endswith("nested too deeply")


def test_a_number_is_bounded() -> None:
    """A number is small, and known to be before a value is seen."""
    assert render("{{ .a | indent 1024 }}", a=b"x") == b" " * 1024 + b"x"
    assert refusal("{{ .a | indent 1025 }}").message.endswith(
        "indent takes a number up to 1024 here"
    )
    assert refusal("{{ .a | indent 99999 }}").message.endswith("the number is too large")


@pytest.mark.parametrize("text", ["\udc80", "{{ .a }}\ud800", "{{ `\udfff` }}"])
def test_a_lone_surrogate_is_refused(text: str) -> None:
    """Text that UTF-8 cannot write is a mistake in the template, not a crash."""
    assert refusal(text).message == "the template holds a lone surrogate"


def test_a_large_template_is_read_in_one_pass() -> None:
    """Tens of thousands of actions are read without copying the text for each."""
    assert render("{{ .a }}\n" * 30_000, a=b"x") == b"x\n" * 30_000


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("printf .a .a", "printf takes a format as a literal string"),
        ('printf "%s"', "printf takes 2 operands, not 1"),
        ('printf "%s" .a .a', "printf has 1 %s for 2 operands"),
        ('printf "%s%s" .a', "printf has 2 %s for 1 operands"),
        ('printf "%5s" .a', "printf understands %s and %% only"),
        ('printf "%s\\x00" .a', "printf understands %s and %% only"),
    ],
)
def test_formats(call: str, reason: str) -> None:
    """A format is checked against its operands before a value is seen."""
    assert refusal("{{ " + call + " }}").message == f"template 1:4: {reason}"


@pytest.mark.parametrize("name", sorted(template_functions.REFUSED))
def test_functions_that_people_know_from_elsewhere(name: str) -> None:
    """They are refused with the reason, or with what to write instead."""
    with pytest.raises(SpecError) as error:
        ValueTemplate(f"{{{{ .a | {name} }}}}")
    assert (
        f"there is not a function {name}: {template_functions.REFUSED[name]}" in error.value.line()
    )
    assert "1:9" in error.value.line()
