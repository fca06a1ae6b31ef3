"""The options of `msm finetune` that choose a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mergekit_speech.cli._groups import option_group

if TYPE_CHECKING:
    from mergekit_speech.finetuning.method import Adapter, Method

method_options = option_group(
    click.option("--train-cnn", is_flag=True, help="Move the CNN too."),
    click.option("--regular", is_flag=True, help="Regular fine-tuning: --train-cnn and --head-only 0."),
    click.option("--l2", type=float, metavar="WEIGHT", help="Add an L2 penalty on the distance to the base."),
    click.option("--l2-layers", metavar="LIST", help="Factors of --l2 for each layer, such as 1,0.5,0.25,0."),
    click.option("--lora", type=int, metavar="RANK", help="Train LoRA matrices in place of the encoder."),
    click.option("--dora", type=int, metavar="RANK", help="Train DoRA matrices in place of the encoder."),
    click.option("--adapter-alpha", type=int, metavar="N", help="Scale of the matrices.  [default: twice the rank]"),
    click.option("--adapter-targets", metavar="LIST", help="Layers that get them.  [default: attention, feed-forward]"),
    click.option("--ema", type=float, metavar="DECAY", help="Judge and keep a moving average of the weights."),
    click.option(
        "--early", type=float, metavar="FRACTION", help="Keep the encoder after these steps too, in OUTPUT/early."
    ),
)
"""Gives a command the options that `read_method` reads."""
METHOD = ("train_cnn", "regular", "l2", "l2_layers", "lora", "dora", "adapter_alpha", "adapter_targets", "ema", "early")
"""The names under which a command gets them."""


def read_method(
    *,
    train_cnn: bool,
    regular: bool,
    l2: float | None,
    l2_layers: str | None,
    lora: int | None,
    dora: int | None,
    adapter_alpha: int | None,
    adapter_targets: str | None,
    ema: float | None,
    early: float | None,
) -> tuple[bool, Method]:
    """Reads the options: whether fine-tuning is regular, and the method.

    Raises:
        UsageError: Options do not go together, or a list holds something else than numbers.
        SettingsError: A number is out of range.
    """
    from mergekit_speech.finetuning.method import L2, Method

    if l2 is None and l2_layers is not None:
        raise click.UsageError("--l2-layers says how --l2 differs between layers; give --l2 too")
    factors = None if l2_layers is None else _read_factors(l2_layers)
    return regular, Method(
        train_cnn=train_cnn or regular,
        l2=None if l2 is None else L2(l2, factors),
        adapter=_read_adapter(lora, dora, adapter_alpha, adapter_targets),
        ema=ema,
        early=early,
    )


def _read_factors(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"expected --l2-layers as numbers with commas between them, came {text!r}") from None


def _read_adapter(lora: int | None, dora: int | None, alpha: int | None, targets: str | None) -> Adapter | None:
    from mergekit_speech.finetuning.method import Adapter

    if lora is not None and dora is not None:
        raise click.UsageError("--lora and --dora are two kinds of adapter; choose one")
    rank = lora if dora is None else dora
    if rank is None:
        if alpha is not None or targets is not None:
            raise click.UsageError("--adapter-alpha and --adapter-targets describe an adapter; give --lora or --dora")
        return None
    names = tuple(part.strip() for part in targets.split(",")) if targets else ()
    return Adapter("dora" if lora is None else "lora", rank, alpha, names)
