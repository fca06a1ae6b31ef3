"""YAML as plain values with the line of each, within bounds: no tags, few aliases, no deep nesting, no key twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mergekit_speech.errors import RecipeError
from mergekit_speech.merging.arguments import Fault, Place

LONGEST = 1 << 16
MOST_VALUES = 20_000
DEEPEST = 16
LONGEST_NUMBER = 100
TAGS = "tag:yaml.org,2002:"
SCALARS: Mapping[str, tuple[str, Sequence[str]]] = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "null": (r"null|Null|NULL|~|", ["n", "N", "~", ""]),
}
"""The scalars of YAML 1.2's core schema: the expression, and the characters that one can begin with."""


@dataclass
class YamlText:
    """What a YAML file says.

    Attributes:
        documents: Plain values, one for each document.
        lines: Where each key and item stands; places begin with the number of the document.
        faults: Keys that come twice, tags, and numbers that cannot be read.
    """

    documents: list[Any] = field(default_factory=list)
    lines: dict[Place, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, (pattern, beginnings) in SCALARS.items():
        for beginning in beginnings:
            found.setdefault(beginning, []).append((f"{TAGS}{kind}", re.compile(f"(?:{pattern})$")))
    return found


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _resolvers()


def read_yaml(path: Path) -> YamlText:
    """Read a YAML file of one or more documents; see `parse_yaml`.

    Raises:
        RecipeError: The file cannot be read, is no YAML, or is longer, deeper or fuller than any recipe.
    """
    return parse_yaml(_read_text(path), str(path))


def parse_yaml(text: str, source: str) -> YamlText:
    """Read YAML of one or more documents.

    `no` and `on` are words and `1e-4` is a number, as in YAML 1.2.

    Args:
        text: The YAML.
        source: What errors call it.

    Raises:
        RecipeError: It is no YAML, or deeper or fuller than any recipe.
    """
    found = YamlText()
    walk = _Walk(found)
    try:
        for number, node in enumerate(yaml.compose_all(text, Loader=_Loader)):
            found.documents.append(walk.value(node, (number,)))
    except RecursionError as error:
        raise RecipeError(f"{source}: expected at most {DEEPEST} levels, came far more") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise RecipeError(f"{source}: {line}expected YAML, came {' '.join(str(error).split())}") from error
    except _OutOfBoundsError as error:
        raise RecipeError(f"{source}: {error}") from error
    return found


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise RecipeError(f"expected a recipe of at most {LONGEST} bytes, came more in {path}")
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}; check the path") from error


class _OutOfBoundsError(Exception):
    pass


@dataclass
class _Walk:
    """Turns nodes into values; an alias counts as often as it is used."""

    found: YamlText
    count: int = 0

    def value(self, node: yaml.Node, place: Place) -> Any:
        self.count += 1
        line = node.start_mark.line + 1
        if self.count > MOST_VALUES or len(place) > DEEPEST:
            bounds = f"{MOST_VALUES} values, aliases written out, and {DEEPEST} levels"
            raise _OutOfBoundsError(f"line {line}: expected at most {bounds}, came more")
        self.found.lines.setdefault(place, line)
        kind = str(node.tag).removeprefix(TAGS)
        if kind == "map" and isinstance(node, yaml.MappingNode):
            return dict(self._entries(node, place))
        if kind == "seq" and isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*place, index)) for index, each in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and (kind == "str" or kind in SCALARS):
            return self._scalar(kind, node.value, place)
        self._fault(place, f"expected plain values, came the tag {node.tag!r:.80}")
        return None

    def _entries(self, node: yaml.MappingNode, place: Place) -> Iterator[tuple[str, Any]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _OutOfBoundsError(f"line {key.start_mark.line + 1}: expected a word as a key, came a {key.id}")
            inner, line = (*place, key.value), key.start_mark.line + 1
            if inner in self.found.lines:
                text = f"expected {key.value!r:.80} once, came again in line {line}"
                self.found.faults.append(Fault(inner, text))
            self.found.lines.setdefault(inner, line)
            yield key.value, self.value(value, inner)

    def _scalar(self, kind: str, text: str, place: Place) -> Any:
        if kind in SCALARS and not re.fullmatch(SCALARS[kind][0], text):
            self._fault(place, f"expected a value of type {kind}, came {text!r:.80}")
            return None
        match kind:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return self._whole(text, place)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                return text

    def _whole(self, text: str, place: Place) -> int | None:
        if len(text) > LONGEST_NUMBER:
            self._fault(place, f"expected a number of at most {LONGEST_NUMBER} characters, came {len(text)}")
            return None
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)

    def _fault(self, place: Place, text: str) -> None:
        self.found.faults.append(Fault(place, text))
