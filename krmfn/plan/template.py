"""The closed template language ``{{ .key | pipe }}``: a compatible subset of Go's.

Rules enforced here: it is pure, it ends, and every part is checked before a value is seen. What an
ExternalSecret's template commonly says means the same here; anything else is refused with its
position. A missing variable is an error. Values are bytes; functions on text need UTF-8.

    template := text | "{{" ["-"] pipeline ["-"] "}}"
    pipeline := call { "|" call }
    call     := function { operand } | operand
    operand  := "." name | "index" "." string | string | integer | "(" pipeline ")"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from krmfn.errors import SealingError, SpecError
from krmfn.plan.template_functions import FUNCTIONS, MAX_BYTES, REFUSED, FunctionError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPACE = " \t\r\n"  # what Go calls space: between tokens, and for the trim markers
# Each token but ``(`` and ``|`` ends where Go's do: ``.a.b`` and ``"a""b"`` are not two operands.
_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:(?:
      (?P<variable>\.[A-Za-z_][A-Za-z0-9_]*)
    | (?P<dot>\.)
    | (?P<word>[A-Za-z][A-Za-z0-9]*)
    | (?P<string>"(?:[^"\\\n]
        |\\(?:[abfnrtv\\"]|x[0-7][0-9a-fA-F]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}))*"|`[^`]*`)
    | (?P<integer>0|[1-9][0-9]*)
    | (?P<close>\))
    )(?=[ \t\r\n|)]|\}\}|\Z)
    | (?P<sign>[|(])
    )""",
    re.VERBOSE,
)
_END = re.compile(r"[ \t\r\n]*+((?<=[ \t\r\n])-)?\}\}")
_NO_OPERAND = re.compile(r"[ \t\r\n]*+(?:[|)]|((?<=[ \t\r\n])-)?\}\}|\Z)")
_OPENS_TRIMMED = re.compile(r"\{\{-[ \t\r\n]")
_COMMENT = re.compile(r"(?:(?<=-)[ \t\r\n])?/\*(?:(?!\*/).)*\*/([ \t\r\n]-)?\}\}", re.DOTALL)
_ESCAPE = re.compile(r'\\(?:([abfnrtv\\"])|x(..)|u(....))')
_ESCAPES = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))
_REFUSED_WORDS = frozenset(
    {"if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"}
    | {"true", "false", "nil"}
)
MAX_DEPTH, MAX_PIPES = 20, 40


@dataclass(frozen=True)
class Variable:
    """``.name`` or ``index . "name"``."""

    name: str
    position: int


@dataclass(frozen=True)
class TemplateCall:
    """A function and its operands, a piped value last."""

    function: str
    operands: tuple[Node, ...]
    position: int


Node = Variable | TemplateCall | str | int


class ValueTemplate:
    """A parsed template.

    Raises:
        SpecError: something outside the language, with its line and column.
    """

    def __init__(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise SpecError("template", "the template holds a lone surrogate") from None
        self.text = text
        self.parts: tuple[bytes | Node, ...] = tuple(_parse(text))

    def variables(self) -> set[str]:
        """The names of the variables that the template needs."""
        found: set[str] = set()
        stack: list[bytes | Node] = list(self.parts)
        while stack:
            part = stack.pop()
            if isinstance(part, Variable):
                found.add(part.name)
            elif isinstance(part, TemplateCall):
                stack.extend(part.operands)
        return found

    def render(self, values: Mapping[str, bytes]) -> bytes:
        """The text with the values filled in.

        Raises:
            SealingError: a variable is missing, or a function cannot take its value. The message
                names the function, never a value.
        """
        size, out = 0, []
        for part in self.parts:
            piece = part if isinstance(part, bytes) else _bytes(self._run(part, values))
            size += len(piece)
            if size > MAX_BYTES:
                raise SealingError("value", "the template's result is too large")
            out.append(piece)
        return b"".join(out)

    def _run(self, node: Node, values: Mapping[str, bytes]) -> bytes | int:
        if isinstance(node, Variable):
            if node.name not in values:
                raise SealingError(
                    "value",
                    f"template {_place(self.text, node.position)}: there is no {node.name}",
                    remedy=f"add {node.name} to data",
                )
            return values[node.name]
        if isinstance(node, TemplateCall):
            operands = [self._run(operand, values) for operand in node.operands]
            try:
                return FUNCTIONS[node.function](*operands)
            except FunctionError as error:
                place = f"template {_place(self.text, node.position)}"
                raise SealingError("value", f"{place}: {node.function}: {error}") from None
        return node.encode() if isinstance(node, str) else node


def _place(text: str, position: int) -> str:
    """``line:column``, both from 1."""
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    return f"{line}:{column}"


def _bytes(value: bytes | int) -> bytes:
    return str(value).encode() if isinstance(value, int) else value


def _parse(text: str) -> list[bytes | Node]:
    """Text and actions in turn, with Go's trim markers applied."""
    parts: list[bytes | Node] = []
    position = 0
    trim = False
    while (start := text.find("{{", position)) >= 0:
        before = text[position:start]
        opens_trimmed = _OPENS_TRIMMED.match(text, start) is not None
        before = before.lstrip(_SPACE) if trim else before
        parts.append((before.rstrip(_SPACE) if opens_trimmed else before).encode())
        parser = _Parser(text, start + (3 if opens_trimmed else 2))
        node, position, trim = parser.action()
        if node is not None:
            parts.append(node)
    rest = text[position:]
    parts.append((rest.lstrip(_SPACE) if trim else rest).encode())
    return [part for part in parts if part != b""]


class _Parser:
    """Parses one action, after its ``{{``."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.depth = 0

    def action(self) -> tuple[Node | None, int, bool]:
        """Return the action's node (None for a comment), its end, and whether it trims after."""
        if comment := _COMMENT.match(self.text, self.position):
            return None, comment.end(), comment.group(1) is not None
        node = self.pipeline()
        if closing := _END.match(self.text, self.position):
            return node, closing.end(), closing.group(1) is not None
        return self.refuse("the action does not end here")

    def pipeline(self) -> Node:
        node = self.call(None)
        pipes = 0
        while self.accept("sign", "|"):
            pipes += 1
            if pipes > MAX_PIPES:
                self.refuse("the pipeline is too long")
            node = self.call(node)
        return node

    def call(self, piped: Node | None) -> Node:
        start = self.next()
        word = self.accept("word")
        if word is None:
            if piped is not None:
                self.refuse("only a function can follow |")
            return self.operand()
        if word == "index":
            if piped is not None:
                self.refuse("index takes nothing from |", at=start)
            return self.index()
        if word in _REFUSED_WORDS:
            self.refuse(f"{word} is not part of the language", at=start)
        if word not in FUNCTIONS:
            why = f": {REFUSED[word]}" if word in REFUSED else ""
            self.refuse(f"there is not a function {word}{why}", at=start)
        operands: list[Node] = []
        while not _NO_OPERAND.match(self.text, self.position):
            operands.append(self.operand())
        if piped is not None:
            operands.append(piped)
        wrong = FUNCTIONS[word].check([isinstance(o, int) for o in operands], operands)
        if wrong:
            self.refuse(f"{word} {wrong}", at=start)
        return TemplateCall(word, tuple(operands), start)

    def index(self) -> Node:
        start = self.next()
        self.accept("dot") or self.refuse('index takes . and "name"')
        name = self.accept("string") or self.refuse('index takes . and "name"')
        return Variable(_unquote(name), start)

    def operand(self) -> Node:
        start = self.next()
        if variable := self.accept("variable"):
            return Variable(variable[1:], start)
        if (string := self.accept("string")) is not None:
            return _unquote(string)
        if integer := self.accept("integer"):
            return int(integer) if len(integer) <= 4 else self.refuse("the number is too large")  # noqa: PLR2004
        if self.accept("sign", "("):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                self.refuse("nested too deeply")
            node = self.pipeline()
            self.accept("close") or self.refuse("a ) is missing")
            self.depth -= 1
            return node
        rest = self.text[self.position :].lstrip(_SPACE)
        if rest.startswith('"'):
            self.refuse("the string does not end, or has an escape that is not understood")
        if re.match(r"\.[A-Za-z_]", rest):
            self.refuse('only .key is understood; any other name is written index . "name"')
        return self.refuse("a .key, a string or a function is expected")

    def accept(self, kind: str, value: str | None = None) -> str | None:
        """Consume and return the next token if it is of ``kind``."""
        match = _TOKEN.match(self.text, self.position)
        if match is None or match.lastgroup != kind:
            return None
        found = match.group(kind)
        if value is not None and found != value:
            return None
        self.position = match.end()
        return found

    def next(self) -> int:
        """Where the next token begins."""
        position = self.position
        while position < len(self.text) and self.text[position] in _SPACE:
            position += 1
        return position

    def refuse(self, message: str, at: int | None = None) -> NoReturn:
        position = self.next() if at is None else at
        raise SpecError(
            "template",
            f"template {_place(self.text, position)}: {message}",
            remedy="see docs/templates.md for the language",
        )


def _unquote(literal: str) -> str:
    if literal.startswith("`"):
        return literal[1:-1].replace("\r", "")  # as Go does

    def replace(match: re.Match[str]) -> str:
        if match.group(1):
            return _ESCAPES[match.group(1)]
        return chr(int(match.group(2) or match.group(3), 16))

    return _ESCAPE.sub(replace, literal[1:-1])
