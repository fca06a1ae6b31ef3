"""What an adapter of peft says of itself: kind, base, rank and targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.detect import read_json
from mergekit_speech.merging.adapters import CONFIG_FILE, WEIGHTS_FILE

WEIGHTS_FILES = (WEIGHTS_FILE, "adapter_model.bin")


@dataclass(frozen=True)
class Adapter:
    """An adapter's own description.

    Attributes:
        kind: "LoRA", "DoRA", or what peft calls another kind.
        base: Path or name of the encoder that it was trained on; None if it does not say.
        rank: Rank of its matrices, where no pattern gives a module another one.
        alpha: Factor α; the product of the matrices counts α / rank times, or α / √rank if `rank_stabilized`.
        rank_stabilized: Whether it is of the kind rsLoRA.
        targets: Ends of the names of the modules that it changes, or one regular expression.
        whole: Modules that it holds whole, such as a head.
    """

    kind: str
    base: str | None
    rank: int | None
    alpha: float | None
    rank_stabilized: bool
    targets: tuple[str, ...]
    whole: tuple[str, ...]


def describe_adapter(folder: Path) -> Adapter:
    """Read `adapter_config.json`.

    Raises:
        CheckpointError: It is no JSON object, or does not say which kind of adapter it is.
        ShardError: It cannot be read.
    """
    config = read_json(folder / CONFIG_FILE) or {}
    kind = config.get("peft_type")
    if not isinstance(kind, str):
        raise CheckpointError(f"expected peft_type in {folder / CONFIG_FILE}, came {kind!r}; save the adapter again")
    if kind == "LORA":
        kind = "DoRA" if config.get("use_dora") else "LoRA"
    base, rank, alpha = (config.get(key) for key in ("base_model_name_or_path", "r", "lora_alpha"))
    return Adapter(
        kind=kind,
        base=base if isinstance(base, str) and base else None,
        rank=rank if isinstance(rank, int) else None,
        alpha=alpha if isinstance(alpha, int | float) else None,
        rank_stabilized=bool(config.get("use_rslora")),
        targets=_words(config, "target_modules"),
        whole=_words(config, "modules_to_save"),
    )


def adapter_weights(folder: Path) -> Path:
    """Find the file of weights of an adapter.

    Raises:
        CheckpointError: There is none.
    """
    found = next((folder / name for name in WEIGHTS_FILES if (folder / name).exists()), None)
    if found is None:
        raise CheckpointError(
            f"expected {' or '.join(WEIGHTS_FILES)} beside {CONFIG_FILE} in {folder}, came neither; save it again"
        )
    return found


def _words(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = config.get(key)
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else ()
