"""`msm merge`: a run, a recipe, or a base and tuned encoders in; a merged checkpoint out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mergekit_speech.cli._plan import show_plan
from mergekit_speech.cli._signals import ending_as_error
from mergekit_speech.cli._sizes import read_size
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mergekit_speech.merging.plan import Limits, Plan
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
@click.option("--base", type=PLACE, help="Checkpoint of the base; a RUN knows its own, some strategies need none.")
@click.option(
    "--tuned", multiple=True, type=PLACE, help="Checkpoint or adapter folder of a tuned encoder; several for several."
)
@click.option("--strategy", help="Name of the strategy; `msm strategies` lists them.  [default: linear]")
@click.option("--alpha", type=float, help="Share of the tuned encoder, 0 to 1; Speech-FT uses 0.25.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting; commas give one per encoder.")
@click.option("--statistics", multiple=True, type=PLACE, help="Folder of a tuned encoder's statistics, in their order.")
@click.option("--output", type=PLACE, help="Folder to make.")
@click.option("--keep", multiple=True, metavar="GLOB", help="Copy matching parameters from the base.")
@click.option("--dtype", type=click.Choice(DTYPES), help="Format of the merged weights.  [default: the base's]")
@click.option("--extrapolate", is_flag=True, help="Allow an alpha beyond 0 to 1.")
@click.option(
    "--effective-weight-norm", is_flag=True, help="Merge what weight norm's length and direction make together."
)
@click.option("--force", is_flag=True, help="Merge also if an encoder was hardly tuned from the base.")
@click.option("--seed", type=int, help="Seed of strategies that draw random numbers.  [default: 0]")
@click.option(
    "--memory", type=read_size, metavar="SIZE", default="256MB", show_default=True, help="Memory for weights."
)
@click.option("--threads", type=click.IntRange(min=1), help="Parameters in work at a time.  [default: one per core]")
@click.option(
    "--shard-size", type=read_size, metavar="SIZE", default="5GB", show_default=True, help="Most bytes of a file."
)
@click.option("--device", default="cpu", show_default=True, help="Where strategies compute: cpu, cuda, cuda:1.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted merge, and leave as much when interrupted.")
@click.option("--no-digest", is_flag=True, help="Do not digest the inputs.")
@click.option("--allow-nonfinite", is_flag=True, help="Merge NaN and infinity too, and say where they are.")
@click.option("--dry-run", is_flag=True, help="Print the plan; read headers only and write nothing.")
@click.option("--verify", type=PLACE, metavar="OUT", help="Merge again as OUT says, compare with OUT, write nothing.")
@common_options
def command(
    out: Output,
    /,
    *,
    output: Path | None,
    memory: int,
    threads: int | None,
    shard_size: int,
    device: str,
    overwrite: bool,
    resume: bool,
    no_digest: bool,
    allow_nonfinite: bool,
    dry_run: bool,
    verify: Path | None,
    **recipe_options: Any,
) -> None:
    """Find or make the recipe, plan it, and run the plan."""
    from mergekit_speech.merging.listing import tell_names
    from mergekit_speech.merging.plan import Limits, make_plan
    from mergekit_speech.merging.unmatched import unmatched_filters

    limits = Limits(memory, threads or 0, shard_size, device)
    if verify is not None:
        beside = {
            "output": output,
            "overwrite": overwrite,
            "resume": resume,
            "no-digest": no_digest,
            "allow-nonfinite": allow_nonfinite,
            "dry-run": dry_run,
        }
        if given := _given({**beside, **recipe_options}):
            raise click.UsageError(f"--verify says all of it; leave out {', '.join(given)}")
        _verify(verify, limits, out)
        return
    if output is None:
        raise click.UsageError("Missing option '--output'.")
    plan = make_plan(_find_recipe(**recipe_options), limits, output=output)
    for line in unmatched_filters(plan.recipe, [step.parameter.name for step in plan.steps]):
        out.log(f"warning: {line}")
    for line in tell_names(plan):
        out.log(line)
    if dry_run:
        show_plan(plan, out)
        return
    _run(
        plan,
        output,
        out,
        overwrite=overwrite,
        resume=resume,
        digest=not no_digest,
        allow_nonfinite=allow_nonfinite,
    )


def _run(plan: Plan, output: Path, out: Output, **options: bool) -> None:
    from mergekit_speech.merging.engine import run_plan

    with ending_as_error(), _progress(out) as progress:
        report = run_plan(plan, output, progress=progress, **options)
    for line in report.nonfinite:
        out.log(f"warning: {line}")
    kept = f", {report.copied} copied" if report.copied else ""
    before = f", {report.resumed} of them before" if report.resumed else ""
    out.log(
        f"{report.strategy}: {report.merged} parameters merged{kept}{before} in {report.seconds:.1f} s: {report.output}"
    )
    digests = report.digests or [None] * len(plan.inputs)
    inputs = [{"path": each.folder, "digest": digest} for each, digest in zip(plan.inputs, digests, strict=True)]
    out.result({**asdict(report), "settings": plan.rules[-1].args.values if plan.rules else {}, "digests": inputs})


def _verify(folder: Path, limits: Limits, out: Output) -> None:
    from mergekit_speech.merging.verify import verify_output

    with _progress(out) as progress:
        report = verify_output(folder, limits, progress=progress)
    out.result(asdict(report))
    report.require_same()
    out.log(f"{folder}: {report.parameters} parameters, the same again")


def _given(options: Mapping[str, object]) -> list[str]:
    present = [name for name, value in options.items() if value not in (None, (), False)]
    return [f"--{'set' if name == 'settings' else name.replace('_', '-')}" for name in present]


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
        if given := _given(options):
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
    effective_weight_norm: bool,
    force: bool,
    seed: int | None,
    statistics: tuple[Path, ...],
) -> Recipe:
    from mergekit_speech.hub.fetch import resolve
    from mergekit_speech.merging.merge import find_base, list_tuned
    from mergekit_speech.merging.recipe import Filter, Keep, Merge, Recipe
    from mergekit_speech.merging.runs import recorded_digest

    paths = (run, *tuned) if run is not None else tuned
    if not paths:
        raise click.UsageError("expected a RUN, a RECIPE, or --tuned, came none of them")
    if base is None:
        place, digest = find_base(paths, strategy or "linear")
        if place is None and strategy is None and len(paths) == 1:
            raise click.UsageError("expected something to merge with, came one encoder alone; give --base")
    else:
        place, digest = resolve(base), None if run is None else recorded_digest(run)
    params = _read_settings(settings)
    if alpha is not None:
        params["alpha"] = alpha
    merge = Merge(
        base=place,
        tuned=list_tuned(paths, statistics),
        strategy=strategy or "linear",
        params=params,
        keep=tuple(Keep(Filter(pattern, "glob")) for pattern in keep),
        extrapolate=extrapolate,
        effective_weight_norm=effective_weight_norm,
    )
    return Recipe(merge, dtype=dtype, seed=seed or 0, base_digest=digest, force=force)


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
