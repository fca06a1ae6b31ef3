"""`msm finetune`: train an encoder with a task head, stably."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mergekit_speech.cli._method import METHOD, method_options, read_method
from mergekit_speech.cli._scenario import read_scenario, scenario_options
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from mergekit_speech.finetuning.run import FinetuneReport


@click.command()
@click.argument("encoder", type=click.Path(path_type=Path))
@scenario_options
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with <task>/manifest.jsonl.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Run folder to write.")
@click.option("--fold", type=int, help="Fold to leave out and test, for er.  [default: the first]")
@click.option("--steps", type=int, help="Optimizer steps.  [default: the task's]")
@click.option("--lr", type=float, help="Peak learning rate.  [default: the task's]")
@click.option("--batch", type=int, help="Clips in a batch.  [default: the task's]")
@click.option("--batch-seconds", type=float, help="Seconds of audio in a batch, with padding, in place of --batch.")
@click.option("--accumulate", type=int, help="Batches in a step.  [default: the task's]")
@click.option("--accumulate-seconds", type=float, help="Seconds of audio in a step, in place of --accumulate.")
@click.option("--evaluate-every", type=int, help="Steps between validations.  [default: a 25th of --steps]")
@click.option(
    "--head-only", default=0.1, show_default=True, help="Fraction of the steps that update the task head alone."
)
@method_options
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    show_default=True,
    help="Of the forward pass.",
)
@click.option("--gradient-checkpointing", is_flag=True, help="Compute layers twice in place of keeping them in memory.")
@click.option("--compile", "compiled", is_flag=True, help="Compile the encoder: minutes at the start, faster steps.")
@click.option("--workers", default=1, show_default=True, help="Threads that read clips ahead; 0 for none.")
@click.option("--seed", default=0, show_default=True, help="Decides head, order and dropout.")
@click.option(
    "--log-to",
    type=click.Choice(["tensorboard", "wandb", "mlflow", "trackio", "none"]),
    multiple=True,
    default=["tensorboard"],
    show_default=True,
    help="Logger beside metrics.jsonl; repeatable.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --output, with the same options.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --output.")
@common_options
def command(
    out: Output,
    /,
    encoder: Path,
    data: Path,
    output: Path,
    fold: int | None,
    steps: int | None,
    lr: float | None,
    batch: int | None,
    batch_seconds: float | None,
    accumulate: int | None,
    accumulate_seconds: float | None,
    evaluate_every: int | None,
    head_only: float,
    precision: str,
    gradient_checkpointing: bool,
    compiled: bool,
    workers: int,
    seed: int,
    log_to: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    """Fine-tune ENCODER with the stable schedule of Speech-FT: on a task, on several, or on unlabelled speech.

    ENCODER is a transformers directory, also of a task model, a file of s3prl or fairseq, a run whose encoder to tune
    on, or a name on the hub; msm convert --like makes a directory of files that hold no settings. The CNN stays
    frozen. For the first 10 % of the steps only the task head is updated, then everything but the CNN; the learning
    rate rises over the same 10 %, holds to 50 % and falls to 0. The best checkpoint on the validation split becomes
    the tuned encoder in OUTPUT/encoder. Ctrl-C stops between two steps; --resume continues exactly.

    The methods that Speech-FT is compared with are options: --regular, --l2, --lora, --dora, --early, --ema. With
    one seed all of them hear the same clips in the same order.
    """
    from mergekit_speech.finetuning.run import aim_of, finetune
    from mergekit_speech.training.progress import ProgressLine

    if "none" in log_to and len(log_to) > 1:
        raise click.UsageError(f"--log-to none goes with no other, came {', '.join(log_to)}; leave it out")
    regular, method = read_method(**{name: options.pop(name) for name in METHOD})
    scenario = read_scenario(**options)
    with out.progress() as progress:
        report = finetune(
            encoder,
            data=data,
            output=output,
            fold=fold,
            log_to=[name for name in log_to if name != "none"],
            observers=[ProgressLine(progress, *aim_of(scenario.get("task"), scenario.get("unlabelled")))],
            resume=resume,
            overwrite=overwrite,
            steps=steps,
            learning_rate=lr,
            clips=batch,
            batch_seconds=batch_seconds,
            accumulate=accumulate,
            accumulate_seconds=accumulate_seconds,
            evaluate_every=evaluate_every,
            head_only=0.0 if regular else head_only,
            precision=precision,
            gradient_checkpointing=gradient_checkpointing,
            compiled=compiled,
            workers=workers,
            seed=seed,
            method=method,
            **scenario,
        )
    _tell(report, out)


def _tell(report: FinetuneReport, out: Output) -> None:
    for split, figures in (("valid", report.valid), ("test", report.test)):
        out.log(f"{split}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    out.log(f"data waited {report.waited:.1%} of the time")
    out.log(f"tuned encoder: {report.encoder} (step {report.best_step}); merge it: msm merge {report.run} --output OUT")
    out.result(
        {
            "run": report.run,
            "encoder": report.encoder,
            "best_step": report.best_step,
            "valid": report.valid,
            "test": report.test,
            "waited": report.waited,
        }
    )
