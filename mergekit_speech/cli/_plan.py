"""What `msm merge --dry-run` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from mergekit_speech.cli.output import Output

if TYPE_CHECKING:
    from mergekit_speech.merging.plan import Plan


def show_plan(plan: Plan, out: Output) -> None:
    """Print every step of a plan, alike parameters in one row; as JSON, each by itself.

    Args:
        plan: What would be done.
        out: Where to.
    """
    out.result(_document(plan))
    if out.json:
        return
    from rich.console import Group
    from rich.table import Table

    from mergekit_speech.merging.listing import describe_rules, list_rows

    steps = Table("parameter", "count", "shape", "from", "to", "what", title=f"{len(plan.steps)} parameters")
    for row in list_rows(plan):
        shape = " × ".join(map(str, row.shape)) or "scalar"
        steps.add_row(row.name, str(row.count), shape, row.held, row.written, row.what)
    rules = Table("rule", "strategy", "parameters", "settings", title="rules")
    for rule in describe_rules(plan):
        settings = rule["settings"] if isinstance(rule["settings"], dict) else {}
        shown = ", ".join(f"{name} {value}" for name, value in settings.items())
        rules.add_row(f"#{rule['rule']}", str(rule["strategy"]), str(rule["parameters"]), shown)
    inputs = Table("input", "parameters", "path", title="inputs")
    for number, checkpoint in enumerate(plan.inputs, start=1):
        inputs.add_row(str(number), str(len(checkpoint.parameters)), str(checkpoint.folder))
    out.table(Group(inputs, rules, steps))
    out.log(
        f"reads {plan.bytes_read / 1e6:.1f} MB, writes {plan.bytes_written / 1e6:.1f} MB in {len(plan.shards)} files, "
        f"holds at most {plan.peak_memory / 1e6:.1f} MB of weights in {plan.threads} threads"
    )


def _document(plan: Plan) -> dict[str, object]:
    from mergekit_speech.merging.listing import describe_rules, describe_step

    return {
        "strategy": plan.recipe.merge.strategy,
        "inputs": [each.folder for each in plan.inputs],
        "namings": [asdict(each) for each in plan.namings],
        "rules": describe_rules(plan),
        "files": [shard.file for shard in plan.shards],
        "layers": plan.layers,
        "bytes_read": plan.bytes_read,
        "bytes_written": plan.bytes_written,
        "peak_memory": plan.peak_memory,
        "threads": plan.threads,
        "device": plan.device,
        "steps": [describe_step(step, plan) for step in plan.steps],
    }
