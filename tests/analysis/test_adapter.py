"""What an adapter says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mergekit_speech.analysis.adapter import Adapter, adapter_weights, describe_adapter
from mergekit_speech.errors import CheckpointError

CONFIG: dict[str, Any] = {
    "peft_type": "LORA",
    "base_model_name_or_path": "facebook/hubert-base-ls960",
    "r": 8,
    "lora_alpha": 16,
    "target_modules": ["q_proj", "v_proj"],
}


def write(folder: Path, **changes: Any) -> Path:
    (folder / "adapter_config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


def test_lora(tmp_path: Path) -> None:
    assert describe_adapter(write(tmp_path)) == Adapter(
        "LoRA", "facebook/hubert-base-ls960", 8, 16, False, ("q_proj", "v_proj"), ()
    )


def test_dora_with_a_head(tmp_path: Path) -> None:
    found = describe_adapter(
        write(tmp_path, use_dora=True, use_rslora=True, target_modules=".*q_proj", modules_to_save=["classifier"])
    )
    assert (found.kind, found.rank_stabilized, found.targets, found.whole) == (
        *("DoRA", True),
        *((".*q_proj",), ("classifier",)),
    )


def test_other_kinds_have_the_name_that_peft_gives_them(tmp_path: Path) -> None:
    found = describe_adapter(write(tmp_path, peft_type="IA3", base_model_name_or_path="", r="x", lora_alpha=None))
    assert (found.kind, found.base, found.rank, found.alpha) == ("IA3", None, None, None)


def test_no_kind(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected peft_type in .*adapter_config.json, came 3; save the adapter"):
        describe_adapter(write(tmp_path, peft_type=3))


def test_weights(tmp_path: Path) -> None:
    message = r"expected adapter_model.safetensors or adapter_model.bin beside adapter_config.json in .*, came neither"
    with pytest.raises(CheckpointError, match=message):
        adapter_weights(tmp_path)
    (tmp_path / "adapter_model.bin").touch()
    assert adapter_weights(tmp_path) == tmp_path / "adapter_model.bin"
