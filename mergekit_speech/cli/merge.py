"""`msm merge`: a run, a recipe, or a base and tuned encoders in; a merged checkpoint out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mergekit_speech.cli._sizes import read_size
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mergekit_speech.merging.plan import Plan
    from mergekit_speech.merging.recipe import Recipe

RECIPE_ENDINGS = (".yaml", ".yml")
DTYPES = ("float16", "bfloat16", "float32", "float64")
# click leaves the lines after a backspace character as they are.
HELP = """Merge tuned encoders into their base.

\b
msm merge RUN --alpha 0.25 --output OUT
msm merge --base B --tuned T --tuned T2 --strategy ties --set density=0.2 --output OUT
msm merge recipe.yaml --output OUT
"""
PLACE = click.Path(path_type=Path)


@click.command(help=HELP)
@click.argument("source", required=False, metavar="[RUN|RECIPE]", type=PLACE)
@click.option("--base", type=PLACE, help="Checkpoint folder of the base; a RUN knows its own.")
@click.option(
    "--tuned", multiple=True, type=PLACE, help="Checkpoint folder of a tuned encoder; several times for several."
)
@click.option("--strategy", help="Name of the strategy; `msm strategies` lists them.  [default: linear]")
@click.option("--alpha", type=float, help="Share of the tuned encoder, 0 to 1; Speech-FT uses 0.25.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting; commas give one per encoder.")
@click.option("--output", required=True, type=PLACE, help="Folder to make.")
@click.option("--keep", multiple=True, metavar="GLOB", help="Copy matching parameters from the base.")
@click.option("--dtype", type=click.Choice(DTYPES), help="Format of the merged weights.  [default: the base's]")
@click.option("--extrapolate", is_flag=True, help="Allow an alpha beyond 0 to 1.")
@click.option("--seed", type=int, help="Seed of strategies that draw random numbers.  [default: 0]")
@click.option("--memory", type=read_size, default="256MB", show_default=True, help="Memory for weights in flight.")
@click.option("--threads", type=click.IntRange(min=1), help="Parameters in work at a time.  [default: one per core]")
@click.option("--shard-size", type=read_size, default="5GB", show_default=True, help="Most bytes in one output file.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@click.option("--dry-run", is_flag=True, help="Print the plan; read headers only and write nothing.")
@common_options
def command(
    out: Output,
    /,
    *,
    output: Path,
    memory: int,
    threads: int | None,
    shard_size: int,
    overwrite: bool,
    dry_run: bool,
    **recipe_options: Any,
) -> None:
    """Find or make the recipe, plan it, and run the plan."""
    from mergekit_speech.merging.plan import Limits, check_output, make_plan

    recipe = _find_recipe(**recipe_options)
    plan = make_plan(recipe, Limits(memory, threads or 0, shard_size))
    check_output(output, recipe.inputs)
    if dry_run:
        _show_plan(plan, out)
        return
    _run(plan, output, out, overwrite=overwrite)


def _run(plan: Plan, output: Path, out: Output, *, overwrite: bool) -> None:
    from mergekit_speech.merging.engine import run_plan

    with _progress(out) as progress:
        report = run_plan(plan, output, overwrite=overwrite, progress=progress)
    kept = f", {report.copied} copied from the base" if report.copied else ""
    out.log(f"{report.strategy}: {report.merged} parameters merged{kept} in {report.seconds:.1f} s: {report.output}")
    inputs = [{"path": path, "digest": digest} for path, digest in zip(plan.recipe.inputs, report.digests, strict=True)]
    out.result({**asdict(report), "settings": plan.args.values, "digests": inputs})


@contextmanager
def _progress(out: Output) -> Iterator[Callable[[int, int], None] | None]:
    # Without a terminal there is nothing to draw on, and rich takes longer to import than a small merge takes.
    if out.quiet or out.json or not sys.stderr.isatty():
        yield None
        return
    with out.progress() as bar:
        task = bar.add_task("merging", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _find_recipe(source: Path | None, **options: Any) -> Recipe:
    if source is not None and (source.is_file() or source.suffix in RECIPE_ENDINGS):
        given = [
            f"--{'set' if name == 'settings' else name}"
            for name, value in options.items()
            if value not in (None, (), False)
        ]
        if given:
            raise click.UsageError(f"a recipe says all of it; put {', '.join(given)} into {source}")
        from mergekit_speech.merging.recipe_yaml import read_recipe

        return read_recipe(source)
    return _make_recipe(source, **options)


def _make_recipe(
    run: Path | None,
    *,
    base: Path | None,
    tuned: tuple[Path, ...],
    strategy: str | None,
    alpha: float | None,
    settings: tuple[str, ...],
    keep: tuple[str, ...],
    dtype: str | None,
    extrapolate: bool,
    seed: int | None,
) -> Recipe:
    from mergekit_speech.merging.recipe import Encoder, Recipe
    from mergekit_speech.merging.runs import encoder_folder, recorded_base, recorded_digest

    paths = (run, *tuned) if run is not None else tuned
    if not paths:
        raise click.UsageError("expected a RUN, a RECIPE, or --tuned, came none of them")
    digest: str | None
    if base is None:
        place, digest = recorded_base(paths)
    else:
        place, digest = base, None if run is None else recorded_digest(run)
    params = _read_settings(settings)
    if alpha is not None:
        params["alpha"] = alpha
    return Recipe(
        base=place,
        tuned=tuple(Encoder(encoder_folder(path)) for path in paths),
        strategy=strategy or "linear",
        params=params,
        dtype=dtype,
        keep=keep,
        extrapolate=extrapolate,
        seed=seed or 0,
        base_digest=digest,
    )


def _read_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in settings:
        name, equals, text = each.partition("=")
        if not (name and equals and text):
            raise click.UsageError(f"expected --set NAME=VALUE, came {each!r}")
        if name in found:
            raise click.UsageError(f"expected --set {name} once, came {each!r} again; commas give one per encoder")
        values = [_read_value(part.strip()) for part in text.split(",")]
        found[name] = values if len(values) > 1 else values[0]
    return found


def _read_value(text: str) -> bool | int | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _show_plan(plan: Plan, out: Output) -> None:
    from rich.table import Table

    table = Table(
        "parameter", "shape", "from", "to", "what", title=f"{plan.recipe.strategy}, {len(plan.steps)} parameters"
    )
    for step in plan.steps:
        shape = " × ".join(map(str, step.parameter.shape)) or "scalar"
        what = f"copied: {step.copied}" if step.copied else "merged"
        table.add_row(step.parameter.name, shape, step.parameter.dtype, step.dtype, what)
    out.table(table)
    settings = ", ".join(f"{name} {value}" for name, value in plan.args.values.items())
    for role, path in zip(["base", *["tuned"] * len(plan.recipe.tuned)], plan.recipe.inputs, strict=True):
        out.log(f"{role}: {path}")
    out.log(f"settings: {settings}")
    out.log(
        f"reads {plan.bytes_read / 1e6:.1f} MB, writes {plan.bytes_written / 1e6:.1f} MB in {len(plan.shards)} files, "
        f"holds at most {plan.peak_memory / 1e6:.1f} MB of weights in {plan.threads} threads"
    )
    out.result(_plan_document(plan))


def _plan_document(plan: Plan) -> dict[str, object]:
    steps = [
        {
            "parameter": step.parameter.name,
            "shape": step.parameter.shape,
            "from": step.parameter.dtype,
            "to": step.dtype,
            "copied": step.copied or None,
        }
        for step in plan.steps
    ]
    return {
        "strategy": plan.recipe.strategy,
        "settings": plan.args.values,
        "inputs": plan.recipe.inputs,
        "files": [shard.file for shard in plan.shards],
        "bytes_read": plan.bytes_read,
        "bytes_written": plan.bytes_written,
        "peak_memory": plan.peak_memory,
        "threads": plan.threads,
        "steps": steps,
    }
