"""`msm index`: a manifest of Lhotse Shar folders."""

from __future__ import annotations

from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options

HELP = """Write the manifest of Lhotse Shar folders, one for each split; recordings stay in their tar files.

ROOT is a folder, or a URL such as s3://bucket/shar. Each clip is read from its tar file when it is heard, by one
request for its bytes, so that a corpus need not fit on the disk. Custom fields of cuts and supervisions, text and
speaker become fields of the clip.

\b
msm index train=shar/train valid=shar/dev test=shar/test --output data --folder asr
"""


@click.command(help=HELP)
@click.argument("roots", nargs=-1, metavar="SPLIT=ROOT...")
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="DATA", help="The data folder.")
@click.option("--folder", required=True, metavar="NAME", help="Folder to make in it: a task's, or any other.")
@click.option("--label", metavar="FIELD", help="Field that becomes the label, such as speaker for sid.")
@click.option("--overwrite", is_flag=True, help="Replace that folder.")
@common_options
def command(out: Output, roots: tuple[str, ...], output: Path, folder: str, label: str | None, overwrite: bool) -> None:
    """Write the manifest of Shar folders."""
    from mergekit_speech.speech.shar import index_shar

    with out.progress() as progress:
        bar = progress.add_task("shards")
        counts = index_shar(
            _split_roots(roots),
            output,
            folder,
            label=label,
            overwrite=overwrite,
            on_shard=lambda done, shards: progress.update(bar, completed=done, total=shards),
        )
    out.log(f"{output / folder}: " + ", ".join(f"{split} {number:,}" for split, number in counts.items()))
    out.result({"output": output, "folders": {folder: counts}})


def _split_roots(texts: tuple[str, ...]) -> dict[str, str]:
    roots: dict[str, str] = {}
    for text in texts:
        split, sign, root = text.partition("=")
        if not (split and sign and root):
            raise click.UsageError(f"expected SPLIT=ROOT, such as train=shar/train, came {text!r}")
        if split in roots:
            raise click.UsageError(f"expected each split once, came {split!r} twice")
        roots[split] = root
    return roots
