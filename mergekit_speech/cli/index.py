"""`msm index`: a manifest of what Lhotse wrote."""

from __future__ import annotations

from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options

HELP = """Write the manifest of what Lhotse wrote: a Shar folder for each split, or a file of cuts or of recordings.

Recordings stay where they are. ROOT is a path, or a URL such as s3://bucket/shar. Clips of a Shar are read from its
tar files when they are heard, by one request for their bytes, so that a corpus need not fit on the disk. A file of
lines, as Lhotse's recipes write it, holds cuts of whole recordings; or recordings, whose supervisions are looked for
beside it, under the same name but for that word. Custom fields of cuts and supervisions, text and speaker become
fields of the clip.

\b
msm index train=shar/train valid=shar/dev test=shar/test --output data --folder asr
msm index train=manifests/aishell3_recordings_train.jsonl.gz --output data --folder aishell3
"""


@click.command(help=HELP)
@click.argument("roots", nargs=-1, metavar="SPLIT=ROOT...")
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="DATA", help="The data folder.")
@click.option("--folder", required=True, metavar="NAME", help="Folder to make in it: a task's, or any other.")
@click.option("--label", metavar="FIELD", help="Field that becomes the label, such as speaker for sid.")
@click.option("--overwrite", is_flag=True, help="Replace that folder.")
@common_options
def command(out: Output, roots: tuple[str, ...], output: Path, folder: str, label: str | None, overwrite: bool) -> None:
    """Write the manifest of what Lhotse wrote."""
    from mergekit_speech.speech.indexing.index import index

    with out.progress() as progress:
        bar = progress.add_task("parts")
        counts = index(
            _split_roots(roots),
            output,
            folder,
            label=label,
            overwrite=overwrite,
            on_part=lambda done, parts: progress.update(bar, completed=done, total=parts),
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
