"""The form of a workflow: steps with names, each of them one of the verbs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

# A file's keys cannot hold them, so that they can be told from keys in the places of faults.
ONE, MANY = "\0one", "\0many"
BASE = "base"
"""What steps call the workflow's base, if it names one."""


def _count(value: object) -> str:
    return MANY if isinstance(value, list | dict) else ONE


Names = Annotated[Annotated[str, Tag(ONE)] | Annotated[list[str], Tag(MANY)], Discriminator(_count)]
Counts = Annotated[Annotated[int, Tag(ONE)] | Annotated[dict[str, int], Tag(MANY)], Discriminator(_count)]
Rates = Annotated[Annotated[float, Tag(ONE)] | Annotated[dict[str, float], Tag(MANY)], Discriminator(_count)]


class Part(BaseModel):
    """A mapping of a workflow; keys that it does not know are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class FinetunePart(Part):
    """`msm finetune`."""

    encoder: str = Field(description="What is tuned: a checkpoint, or the name of an earlier step.")
    data: str | None = Field(None, description="The data folder; the workflow's if none is given.")
    task: Names | None = Field(None, description="A task, or several for a head each.")
    task_weights: dict[str, float] | None = Field(None, description="Factor of each task's loss.")
    temperature: float | None = Field(None, description="Of drawing tasks: 1 takes all clips alike.")
    unlabelled: Names | None = Field(None, description="Folders of unlabelled speech, in place of a task.")
    targets: Literal["codebook", "kmeans"] | None = Field(None, description="Codes that unlabelled speech is given.")
    clusters: int | None = Field(None, description="Codes of k-means.")
    cluster_layer: int | None = Field(None, description="Layer that k-means clusters.")
    steps: int | None = Field(None, description="Optimizer steps; the task's own if none are given.")
    lr: float | None = Field(None, description="Peak learning rate.")
    batch: int | None = Field(None, description="Clips in a batch.")
    batch_seconds: float | None = Field(None, description="Seconds of audio in a batch, in place of batch.")
    accumulate: int | None = Field(None, description="Batches in a step.")
    accumulate_seconds: float | None = Field(None, description="Seconds of audio in a step, in place of accumulate.")
    evaluate_every: int | None = Field(None, description="Steps between validations.")
    head_only: float = Field(0.1, description="Fraction of the steps that update the head alone.")
    train_cnn: bool = Field(False, description="Move the CNN too.")
    regular: bool = Field(False, description="Regular fine-tuning: train_cnn, and head_only 0.")
    l2: float | None = Field(None, description="Weight of an L2 penalty on the distance to the base.")
    l2_layers: list[float] | None = Field(None, description="Factors of l2 for each layer.")
    lora: int | None = Field(None, description="Rank of LoRA matrices.")
    dora: int | None = Field(None, description="Rank of DoRA matrices.")
    adapter_alpha: int | None = Field(None, description="Scale of the matrices; twice the rank if none is given.")
    adapter_targets: list[str] | None = Field(None, description="Linear layers that get matrices.")
    ema: float | None = Field(None, description="Decay of a moving average of the weights.")
    early: float | None = Field(None, description="Keep the encoder after this fraction of the steps too.")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="Of the forward pass.")
    gradient_checkpointing: bool = Field(False, description="Compute layers twice in place of keeping them in memory.")
    compile: bool = Field(False, description="Compile the encoder.")
    workers: int = Field(1, ge=0, description="Threads that read clips ahead.")
    fold: int | None = Field(None, description="Fold to leave out and test, for er; the first if none is given.")
    seed: int = Field(0, ge=0, description="Decides head, order and dropout.")
    log_to: list[str] = Field(["tensorboard"], description="Of tensorboard, wandb, mlflow, trackio.")


class MergePart(Part):
    """`msm merge`."""

    base: str | None = Field(None, description="A checkpoint or the name of a step; that of the tuned run if none.")
    tuned: Names = Field(description="Tuned encoders, or the names of steps.")
    strategy: str = Field("linear", description="Name of the strategy.")
    alpha: float | None = Field(None, description="Share of the tuned encoder.")
    parameters: dict[str, Any] = Field({}, description="Settings of the strategy.")
    keep: list[str] = Field([], description="Globs of parameters that are copied from the base.")
    dtype: Literal["float16", "bfloat16", "float32", "float64"] | None = Field(None, description="Of the output.")
    extrapolate: bool = Field(False, description="Allow an alpha beyond 0 to 1.")
    force: bool = Field(False, description="Merge also if an encoder was hardly tuned from the base.")
    seed: int = Field(0, ge=0, description="Of strategies that draw random numbers.")


class BenchPart(Part):
    """`msm bench`."""

    encoders: list[str] = Field(min_length=1, description="Checkpoints or names of steps; deltas refer to the first.")
    tasks: list[str] = Field(min_length=1, description="Names of tasks.")
    data: str | None = Field(None, description="The data folder; the workflow's if none is given.")
    seeds: list[int] = Field([0, 1, 2], min_length=1, description="A probe of each task for each of these seeds.")
    steps: Counts | None = Field(None, description="Optimizer steps, for all tasks or by task.")
    lr: Rates | None = Field(None, description="Learning rate, for all tasks or by task.")
    batch: Counts | None = Field(None, description="Clips in a batch, for all tasks or by task.")
    accumulate: Counts | None = Field(None, description="Batches in a step.")
    evaluate_every: Counts | None = Field(None, description="Steps between validations.")
    folds: int | None = Field(None, description="Folds that are tested, the first ones; all if none are given.")
    references: Literal["speech-ft", "superb-site"] = Field("speech-ft", description="Of the SUPERB score.")


class StepPart(Part):
    """One step: its name, and one verb."""

    name: str = Field(pattern=r"^\w[\w.-]*$", max_length=100, description="Folder of the step, and its name in others.")
    finetune: FinetunePart | None = None
    merge: MergePart | None = None
    bench: BenchPart | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> StepPart:
        given = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(VERBS)}, came {' and '.join(given) or 'none'}")
        return self

    @property
    def part(self) -> FinetunePart | MergePart | BenchPart:
        """What is to be done."""
        part = self.finetune or self.merge or self.bench
        return cast(FinetunePart | MergePart | BenchPart, part)


class Workflow(Part):
    """A file for `msm run`."""

    base: str | None = Field(None, description=f"A checkpoint that steps call {BASE!r}.")
    data: str | None = Field(None, description="The data folder of all steps.")
    steps: list[StepPart] = Field(min_length=1, description="In the order in which they are run.")


VERBS: Mapping[str, type[Part]] = {"finetune": FinetunePart, "merge": MergePart, "bench": BenchPart}


def known_keys(place: tuple[Any, ...]) -> tuple[str, ...]:
    """Give the keys that are known at a place, as pydantic's errors name places."""
    parts: dict[str, type[Part]] = {"steps": StepPart, **VERBS}
    inner = next((parts[key] for key in reversed(place[:-1]) if key in parts), Workflow)
    return tuple(inner.model_fields)
