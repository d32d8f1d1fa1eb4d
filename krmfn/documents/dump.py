"""Write values as YAML that reads back as the same values, for every reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable


class _Dumper(yaml.SafeDumper):
    """Block style without aliases; nothing is plain by PyYAML's own idea, which is YAML 1.1's."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # declared so by PyYAML

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's hook
        """Everything is written out."""
        return True


def dump(value: Any, style: Callable[[str], str | None]) -> str:
    """Return a value as one YAML document, in its order.

    Args:
        value: of mappings, lists, text and scalars; a subclass of ``str`` is a number's text.
        style: of a text: None for a plain scalar, else ``"`` or ``|``.
    """

    class Styled(_Dumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style(value))

    def plain(_: yaml.SafeDumper, value: str | bool | int | None) -> yaml.Node:
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        return yaml.ScalarNode("tag:yaml.org,2002:str", "null" if value is None else shown)

    Styled.add_representer(str, text)
    Styled.add_multi_representer(str, plain)
    for kind in (bool, int, type(None)):
        Styled.add_representer(kind, plain)
    return yaml.dump(value, Dumper=Styled, sort_keys=False, allow_unicode=True, width=2**31)


def always_quoted(_text: str) -> str:
    """Return the style of double quotes."""
    return '"'
