"""`msm pretrain`: train an encoder from unlabelled audio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from mergekit_speech.pretraining.settings import Architecture, Norm

CLUSTERS, STEPS, LONG = "100,200", "4000,8000", "12000"


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with <name>/manifest.jsonl.")
@click.option("--folder", "folders", multiple=True, required=True, metavar="NAME", help="Manifest to use; repeatable.")
@click.option(
    "--held-out-speakers",
    multiple=True,
    metavar="NAME",
    help="Manifest whose validation and test speakers are left out of all others; repeatable.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Run folder to write.")
@click.option(
    "--family",
    type=click.Choice(["hubert", "wav2vec2", "wavlm"]),
    default="hubert",
    show_default=True,
    help="Architecture; wav2vec2 learns its codes by contrast, in one round, the others predict those of k-means.",
)
@click.option(
    "--norm",
    type=click.Choice(["group", "layer"]),
    default="group",
    show_default=True,
    help="Norms as in the Base models, or as in the Large ones.",
)
@click.option("--layers", default=4, show_default=True, help="Transformer layers.")
@click.option("--dim", default=192, show_default=True, help="Dimensions of a hidden state.")
@click.option("--heads", default=6, show_default=True, help="Attention heads.")
@click.option("--feed-forward", default=640, show_default=True, help="Inner dimensions of the feed-forward modules.")
@click.option("--channels", default=64, show_default=True, help="Channels of the CNN.")
@click.option("--clusters", help="k-means codes of each round.  [default: 100,200; wav2vec2 has none]")
@click.option("--steps", help="Optimizer steps of each round.  [default: 4000,8000; wav2vec2 12000]")
@click.option("--layer", default=3, show_default=True, help="Layer whose features later rounds cluster.")
@click.option("--batch-seconds", default=32.0, show_default=True, help="Audio in a batch, seconds.")
@click.option("--lr", default=5e-4, show_default=True, help="Peak learning rate.")
@click.option("--dropout", default=0.1, show_default=True, help="Probability of dropout while pre-training.")
@click.option("--mask-span", default=10, show_default=True, help="Frames of a masked span.")
@click.option("--mask-probability", default=0.8, show_default=True, help="Masked share if spans did not overlap.")
@click.option("--unmasked-weight", default=0.0, show_default=True, help="Weight of the loss over frames in sight.")
@click.option("--continue", "carry_on", is_flag=True, help="Later rounds start from the weights of the round before.")
@click.option(
    "--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Of the forward pass."
)
@click.option("--seed", default=0, show_default=True, help="Decides everything random.")
@click.option("--resume", is_flag=True, help="Continue the run in --output.")
@click.option("--overwrite", is_flag=True, help="Replace the run in --output.")
@common_options
def command(
    out: Output,
    data: Path,
    folders: tuple[str, ...],
    held_out_speakers: tuple[str, ...],
    output: Path,
    family: Architecture,
    norm: Norm,
    layers: int,
    dim: int,
    heads: int,
    feed_forward: int,
    channels: int,
    clusters: str | None,
    steps: str | None,
    layer: int,
    batch_seconds: float,
    lr: float,
    dropout: float,
    mask_span: int,
    mask_probability: float,
    unmasked_weight: float,
    carry_on: bool,
    precision: str,
    seed: int,
    resume: bool,
    overwrite: bool,
) -> None:
    """Pre-train a small encoder from unlabelled audio.

    k-means over MFCCs gives the codes that the first round predicts at masked frames; later rounds predict
    codes of the encoder's own features. wav2vec 2.0 tells quantized frames apart instead. Clips that any manifest
    of --data holds out for validation or test are never heard.
    """
    from mergekit_speech.pretraining.masking import Masking
    from mergekit_speech.pretraining.run import GOAL, pretrain
    from mergekit_speech.pretraining.selection import pretraining_clips
    from mergekit_speech.pretraining.settings import CONTRASTIVE, EncoderShape, PretrainSettings, rounds
    from mergekit_speech.training.progress import ProgressLine

    alone = family == CONTRASTIVE
    settings = PretrainSettings(
        shape=EncoderShape(layers, dim, heads, feed_forward, channels, family=family, norm=norm),
        rounds=rounds(clusters or (None if alone else CLUSTERS), steps or (LONG if alone else STEPS), layer),
        batch_seconds=batch_seconds,
        learning_rate=lr,
        dropout=dropout,
        masking=Masking(mask_span, mask_probability),
        unmasked_weight=unmasked_weight,
        restart=not carry_on,
        precision="bf16" if precision == "bf16" else "fp32",
        seed=seed,
    )
    clips = pretraining_clips(data, folders, held_out_speakers)
    out.log(f"{len(clips)} clips, {sum(clip.duration for clip in clips) / 60:.0f} minutes")
    with out.progress() as progress:
        line = ProgressLine(progress, "pre-training", GOAL)
        report = pretrain(clips, output, settings, observers=[line], resume=resume, overwrite=overwrite)
    for number, best in enumerate(report.rounds, start=1):
        out.log(f"round {number}: masked accuracy {best['accuracy']:.3f} at step {best['step']}")
    out.log(f"encoder: {report.encoder}")
    out.result({"encoder": report.encoder, "rounds": report.rounds})
