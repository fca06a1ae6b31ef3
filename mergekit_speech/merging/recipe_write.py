"""Recipes as YAML that reads back the same; without a YAML library, whose import takes longer than a small merge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from mergekit_speech.hub.names import lasting_name
from mergekit_speech.merging.filters import read_filter
from mergekit_speech.merging.recipe import (
    Case,
    Choice,
    Filter,
    Gradient,
    Keep,
    Merge,
    Named,
    Params,
    Recipe,
    Slice,
    SliceSource,
    Source,
    Tuned,
)

Scalar: TypeAlias = bool | int | float | str
Node: TypeAlias = Any
"""A scalar, a list of nodes, or a mapping of nodes by key."""

PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
# Words that readers of YAML 1.1 take for something else than a word.
NOT_PLAIN = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
NOT_PRINTABLE = "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"


def write_recipe(recipe: Recipe) -> str:
    """Write a recipe so that `read_recipe` gives the same again, with absolute paths, or names on the hub.

    Args:
        recipe: What to write. Paths are resolved; of what is kept, that from the base comes first.
    """
    documents = [{"name": name, **_merge(merge)} for name, merge in recipe.named.items()]
    last = {
        **_merge(recipe.merge),
        "out_dtype": recipe.dtype,
        "seed": recipe.seed or None,
        "base_digest": recipe.base_digest,
        "force": recipe.force or None,
    }
    return "---\n".join("".join(f"{line}\n" for line in _block(_present(each))) for each in [*documents, last])


def _merge(merge: Merge) -> dict[str, Node]:
    return {
        "merge_method": merge.strategy,
        "base_model": merge.base and _source(merge.base),
        "models": [_tuned(each) for each in merge.tuned],
        "slices": [_slice(each) for each in merge.slices],
        "parameters": _params(merge.params),
        "strategies": [_choice(each) for each in merge.choices],
        "keep": _present({side: _kept(merge.keep, side) for side in ("base", "tuned")}),
        "extrapolate": merge.extrapolate or None,
        "effective_weight_norm": merge.effective_weight_norm or None,
    }


def _tuned(tuned: Tuned) -> dict[str, Node]:
    statistics = tuned.statistics and str(tuned.statistics.resolve())
    return _present({"model": _source(tuned.source), "parameters": _params(tuned.params), "statistics": statistics})


def _slice(piece: Slice) -> dict[str, Node]:
    return _present(
        {
            "sources": [_slice_source(each) for each in piece.sources],
            "base_model": piece.base and _source(piece.base),
            "parameters": _params(piece.params),
        }
    )


def _slice_source(source: SliceSource) -> dict[str, Node]:
    described = {"model": _source(source.source), "layer_range": [source.first, source.end]}
    return _present({**described, "parameters": _params(source.params)})


def _choice(choice: Choice) -> dict[str, Node]:
    described = {**_where(choice.where), "merge_method": choice.strategy}
    return _present({**described, "parameters": _params(choice.params)})


def _kept(keep: Sequence[Keep], side: str) -> list[Node]:
    wheres = [each.where for each in keep if each.side == side]
    return [where.pattern if where == read_filter(where.pattern) else _where(where) for where in wheres]


def _where(where: Filter) -> dict[str, str]:
    return {"filter" if where == read_filter(where.pattern) else where.kind: where.pattern}


def _params(params: Params) -> dict[str, Node]:
    return {name: _setting(setting) for name, setting in params.items()}


def _setting(setting: object) -> Node:
    match setting:
        case Gradient(values):
            return list(values)
        case list():
            return {"each": [_setting(each) for each in setting]}
        case tuple():
            return [_case(each) for each in setting]
        case _:
            return setting


def _case(case: Case) -> dict[str, Node]:
    return {**(_where(case.where) if case.where else {}), "value": _setting(case.value)}


def _source(source: Source) -> str:
    return source.name if isinstance(source, Named) else lasting_name(source)


def _present(entries: Mapping[str, Node]) -> dict[str, Node]:
    return {key: value for key, value in entries.items() if value is not None and value != {} and value != []}


def _block(node: Node, indent: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if _is_flow(value):
                yield f"{indent}{_scalar(key)}: {_flow(value)}"
            else:
                yield f"{indent}{_scalar(key)}:"
                yield from _block(value, f"{indent}  ")
        return
    for value in node:
        first, *rest = [_flow(value)] if _is_flow(value) else list(_block(value, f"{indent}  "))
        yield f"{indent}- {first.lstrip()}"
        yield from rest


def _is_flow(node: Node) -> bool:
    return not isinstance(node, dict | list) or (isinstance(node, list) and all(map(_is_flow, node)))


def _flow(node: Node) -> str:
    return f"[{', '.join(map(_flow, node))}]" if isinstance(node, list) else _scalar(node)


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # YAML 1.1 takes a number with an exponent but no point for text.
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value)).replace("inf", ".inf").replace("nan", ".nan")
    if isinstance(value, int):
        return str(value)
    if PLAIN.fullmatch(value) and value.lower() not in NOT_PLAIN:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    # Compiling so large a set of characters takes longer than writing the recipe.
    return quoted if quoted.isascii() and quoted.isprintable() else re.sub(NOT_PRINTABLE, _escape, quoted)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
