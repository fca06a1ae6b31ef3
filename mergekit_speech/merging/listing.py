"""A plan as a person reads it: alike parameters in one row, and the settings of every rule once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergekit_speech.merging.layers import Stack, find_stack
from mergekit_speech.merging.matching import Naming
from mergekit_speech.merging.plan import Plan, Step, step_reads
from mergekit_speech.merging.terms import Effective, Leaf, Length, Mix, Term

BESIDE = "kept from the base, "
MOST_SHOWN = 3


@dataclass(frozen=True)
class Row:
    """Parameters that differ in nothing but their layer.

    Attributes:
        name: Their name; layers are given as a range, such as "encoder.layers.{0-11}.attention.k_proj.weight".
        count: Number of parameters.
        shape: Shape of each.
        held: Format in which the first source holds them.
        written: Format in which they are written.
        what: What they are made of, or why they are copied.
    """

    name: str
    count: int
    shape: tuple[int, ...]
    held: str
    written: str
    what: str


def list_rows(plan: Plan) -> list[Row]:
    """Group the steps of a plan."""
    stack = find_stack([step.parameter.name for step in plan.steps])
    groups: dict[tuple[Any, ...], list[Step]] = {}
    for step in plan.steps:
        groups.setdefault(_likeness(step, plan, stack), []).append(step)
    return [_row(steps, plan, stack) for steps in groups.values()]


def describe_step(step: Step, plan: Plan) -> dict[str, object]:
    """Give everything about a step as plain data."""
    return {
        "parameter": step.parameter.name,
        "shape": step.parameter.shape,
        "to": step.parameter.dtype,
        "copied": step.copied or None,
        "made_of": _tree(step.term, plan),
        "bytes_read": step_reads(step, plan.rules),
        "bytes_written": step.parameter.size,
        "block": step.block,
        "memory": step.memory,
    }


def describe_rules(plan: Plan) -> list[dict[str, object]]:
    """Give every rule with its number, its settings and the number of parameters that it makes."""
    counts = [0] * len(plan.rules)
    for step in plan.steps:
        for mix in step.mixes:
            counts[mix.rule] += 1
    return [
        {"rule": number, "strategy": rule.name, "settings": rule.args.values, "parameters": count}
        for number, (rule, count) in enumerate(zip(plan.rules, counts, strict=True), start=1)
    ]


def tell_names(plan: Plan, call: Callable[[Path], str] = str) -> list[str]:
    """Say in a line for each input which names were mapped and what was left out, and in one what keeps its values.

    Args:
        plan: The plan.
        call: Gives what to call an input.
    """
    told = {call(each.folder): _tell_naming(each) for each in plan.namings}
    lines = [f"{name} {text}" for name, text in told.items() if text]
    kept = _group({step.parameter.name: step.copied for step in plan.steps if step.copied.startswith(BESIDE)})
    return [*lines, *(f"{len(names)} {why}: {_some(names)}" for why, names in kept.items())]


def _tell_naming(naming: Naming) -> str:
    parts = []
    if naming.mapped:
        old, new = next(iter(naming.mapped.items()))
        parts.append(f"{len(naming.mapped)} names mapped, such as {old} to {new}")
    for word, listed in (("left out", naming.left_out), ("kept beside the weights", naming.beside)):
        parts += [f"{len(names)} {word}, {why}: {_some(names)}" for why, names in _group(listed).items()]
    return f"({naming.layout}): {'; '.join(parts)}" if parts else ""


def _group(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, why in reasons.items():
        found.setdefault(why, []).append(name)
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_SHOWN]) + (", …" if len(names) > MOST_SHOWN else "")


def _likeness(step: Step, plan: Plan, stack: Stack) -> tuple[Any, ...]:
    name = step.parameter.name
    alike = stack.renamed(name, 0) if stack.layer_of(name) is not None else name
    return alike, step.parameter.shape, step.parameter.dtype, _held(step), step.copied or _shape_of(step.term, plan)


def _shape_of(term: Term, plan: Plan) -> object:
    # Like what is shown, but for settings that change from layer to layer and for names.
    if isinstance(term, Leaf):
        return term.source, term.parameter.dtype
    if not isinstance(term, Mix):
        return type(term).__name__, tuple(_shape_of(each, plan) for each in term.terms)
    return plan.rules[term.rule].name, tuple(_shape_of(each, plan) for each in term.terms)


def _row(steps: list[Step], plan: Plan, stack: Stack) -> Row:
    first = steps[0]
    name = first.parameter.name
    if len(steps) > 1:
        layers = [stack.layer_of(step.parameter.name) or 0 for step in steps]
        name = stack.renamed(name, 0).replace(f"{stack.prefix}0.", f"{stack.prefix}{{{_ranges(layers)}}}.", 1)
    what = f"copied: {first.copied}"
    if not first.copied:
        what = _describe([step.term for step in steps], [step.parameter.name for step in steps], plan)
    return Row(name, len(steps), first.parameter.shape, _held(first), first.parameter.dtype, what)


def _held(step: Step) -> str:
    return next(iter(step.leaves.values())).parameter.dtype


def _describe(terms: Sequence[Term], names: Sequence[str], plan: Plan) -> str:
    # Terms that differ in rules and layers alone: "ties #1,3-5 (input 1; input 2, input 3)", the base first.
    first = terms[0]
    if isinstance(first, Leaf):
        held = [each.parameter.name for each in terms if isinstance(each, Leaf)]
        own = [each for each, name in zip(held, names, strict=True) if each != name]
        shown = "" if not own else f" {own[0]}" if len(own) == 1 else f" {own[0]} … {own[-1]}"
        return f"input {first.source + 1}{shown}"
    if isinstance(first, Effective):
        return f"weight of {_describe([each.direction for each in terms if isinstance(each, Effective)], names, plan)}"
    if isinstance(first, Length):
        return f"length of {_describe([each.weight for each in terms if isinstance(each, Length)], names, plan)}"
    mixes = [each for each in terms if isinstance(each, Mix)]
    bases = [each.base for each in mixes if each.base is not None]
    base = f"{_describe(bases, names, plan)}; " if bases else ""
    tuned = ", ".join(_describe(each, names, plan) for each in zip(*(mix.tuned for mix in mixes), strict=True))
    numbers = _ranges(mix.rule + 1 for mix in mixes)
    return f"{plan.rules[first.rule].name} #{numbers} ({base}{tuned})"


def _tree(term: Term, plan: Plan) -> Mapping[str, object]:
    if isinstance(term, Leaf):
        return {"input": term.source + 1, "parameter": term.parameter.name, "from": term.parameter.dtype}
    if isinstance(term, Effective):
        return {"weight_norm": {"length": _tree(term.length, plan), "direction": _tree(term.direction, plan)}}
    if isinstance(term, Length):
        return {"length_of": _tree(term.weight, plan)}
    return {
        "strategy": plan.rules[term.rule].name,
        "rule": term.rule + 1,
        "base": None if term.base is None else _tree(term.base, plan),
        "tuned": [_tree(each, plan) for each in term.tuned],
    }


def _ranges(numbers: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
