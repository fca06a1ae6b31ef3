"""`msm inspect`: what a checkpoint is and holds, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@common_options
def command(out: Output, /, *, checkpoint: Path) -> None:
    """Show what CHECKPOINT is and holds.

    Of an encoder in any layout: family, size, layout and settings, what stable fine-tuning leaves frozen, what is
    merged and what is left out, and why. Of all: files, formats, modules, layers, metadata, and where it comes from, if
    this toolkit merged, tuned or converted it. --json has the names of all parameters too.

    CHECKPOINT is a folder or file of transformers, s3prl, Spin or fairseq, any other weights in safetensors or
    torch.save, a run of msm finetune, an adapter of peft, or a name on the hub. Only headers are read, and no code from
    pickles is run.
    """
    from mergekit_speech.analysis.inspection import inspect_checkpoint
    from mergekit_speech.merging.runs import encoder_folder
    from mergekit_speech.reports.inspection_table import inspection_tables

    found = inspect_checkpoint(encoder_folder(checkpoint))
    for renderable in inspection_tables(found):
        out.table(renderable)
    largest = [
        {"name": each.name, "shape": each.shape, "dtype": each.dtype, "bytes": each.size} for each in found.largest
    ]
    out.result({**asdict(found), "largest": largest})
