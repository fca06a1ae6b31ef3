"""`msm inspect`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from safetensors.numpy import save_file

from mergekit_speech.cli import main
from mergekit_speech.layouts.convert import convert
from mergekit_speech.layouts.names import antiquate
from mergekit_speech.merging.adapters import WEIGHTS_FILE as ADAPTER
from mergekit_speech.merging.merge import merge
from mergekit_speech.shards.header import Parameter, build_header
from mergekit_speech.testing import tiny_checkpoint
from tests.layouts.samples import Sample, fairseq_heads, read_folder, write_folder, write_s3prl


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_checkpoint(tmp_path: Path) -> None:
    said = run(tiny_checkpoint(tmp_path / "x"))
    assert said.exit_code == 0
    for words in (
        "4 parameters, 73 elements, 2 layers, 292 bytes of weights",
        "model.safetensors",
        "encoder.layers.1.weight │ 3 × 2 × 5 │ F32",
        "layer 0",
        "scalar",
        "format   │ pt",
    ):
        assert words in said.stdout


def test_json(tmp_path: Path) -> None:
    document = json.loads(run(tiny_checkpoint(tmp_path / "x"), "--json").stdout)
    assert document["whole"] == {"name": "whole", "parameters": 4, "elements": 73, "bytes": 292}
    assert document["path"] == str(tmp_path / "x")
    assert document["largest"][0] == {"name": "encoder.layers.0.weight", "shape": [7, 5], "dtype": "F32", "bytes": 140}
    assert document["provenance"] is None


def test_merged_checkpoint(tmp_path: Path) -> None:
    base, tuned = (tiny_checkpoint(tmp_path / name, seed=seed) for seed, name in enumerate(("base", "tuned")))
    merge(base, tuned, output=tmp_path / "out", alpha=0.25)
    said = run(tmp_path / "out")
    assert "Made by msm merge:" in said.stdout
    assert "blake3:" in said.stdout
    assert json.loads(run(tmp_path / "out", "--json").stdout)["provenance"]["seed"] == 0


def test_inputs_of_a_merge_are_a_table(tmp_path: Path) -> None:
    inputs = [{"name": "base", "digest": "blake3:00", "licence": "mit"}, {"name": "tuned", "digest": None}]
    text = json.dumps({"version": "1", "inputs": inputs, "recipe": {"merge_method": "linear"}})
    header = build_header([Parameter("a", "F32", (1,))], {"mergekit_speech": text})
    (tmp_path / "x.safetensors").write_bytes(header + bytes(4))
    said = run(tmp_path / "x.safetensors").stdout
    assert "│ base        │ blake3:00             │ mit" in said
    assert "merge_method: linear" in said


def test_run_folder_is_its_encoder(tmp_path: Path) -> None:
    tiny_checkpoint(tmp_path / "run" / "encoder")
    record = {
        "kind": "finetune",
        "task": "pr",
        "base": {"path": "lab/base@main", "digest": "blake3:1"},
        "settings": {"steps": 200},
        "kept": {"step": 160, "why": "best"},
        "test": {"per": 0.25, "loss": None},
    }
    (tmp_path / "run" / "record.json").write_text(json.dumps(record))
    document = json.loads(run(tmp_path / "run", "--json").stdout)
    assert (document["path"], document["run"]) == (str(tmp_path / "run" / "encoder"), record)
    line = "run       msm finetune, task pr, 200 steps, kept step 160, per 0.25; base lab/base@main"
    assert line in run(tmp_path / "run").stdout.splitlines()


def test_run_without_an_encoder(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{}")
    said = run(tmp_path)
    assert (said.exit_code, said.stdout) == (3, "")
    assert said.stderr == f"Error: the run {str(tmp_path)!r} has no encoder yet: finish it with --resume\n"


def test_encoder_of_another_program(tmp_path: Path) -> None:
    sample = Sample("wav2vec2", large=True)
    file = write_s3prl(tmp_path / "x.pt", sample)
    said = run(file).stdout
    for words in (
        "family    wav2vec 2.0",
        "size      2 layers of 8 dimensions, CNN with layer norm",
        "layout    s3prl, names of fairseq",
        "input     waveforms, to zero mean and unit variance",
        "│ left out: only for pre-training │          7 │",
        "│ feed_forward │",
    ):
        assert words in said
    document = json.loads(run(file, "--json").stdout)
    encoder = document["encoder"]
    assert {*encoder["frozen"], *encoder["merged"]} == set(sample.shapes())
    assert encoder["left_out"] == dict.fromkeys(fairseq_heads(sample), "only for pre-training")
    assert [each["name"] for each in document["roles"]] == ["frozen", "merged", "left out: only for pre-training"]
    assert sum(each["parameters"] for each in document["roles"]) == document["whole"]["parameters"]
    modules = {each["name"]: each["parameters"] for each in document["modules"]}
    assert modules == {
        "cnn": 8,
        "projection": 4,
        "positional": 3,
        "attention": 16,
        "feed_forward": 8,
        "norm": 10,
        "other": 1,
    }


def test_conversion_and_old_spelling(tmp_path: Path) -> None:
    base = write_folder(tmp_path / "base", Sample("hubert"), prefix="hubert.")
    convert(base, tmp_path / "x.pt", "s3prl")
    assert "converted by msm convert, from the layout of transformers" in run(tmp_path / "x.pt").stdout
    tensors = {f"hubert.{antiquate(name.removeprefix('hubert.'))}": each for name, each in read_folder(base).items()}
    save_file(tensors, base / "model.safetensors", {"format": "pt"})
    assert "behind 'hubert.', weight norm in the old spelling" in run(base).stdout


def test_adapter(tmp_path: Path) -> None:
    config = {"peft_type": "LORA", "base_model_name_or_path": "lab/base", "r": 4, "lora_alpha": 8, "use_rslora": True}
    config |= {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["classifier"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    module = "base_model.model.encoder.layers.0.attention.q_proj"
    save_file({f"{module}.lora_{each}.weight": np.ones((4, 4), np.float32) for each in "AB"}, tmp_path / ADAPTER)
    said = run(tmp_path)
    assert said.exit_code == 0
    for line in (
        "adapter   LoRA, rank 4, alpha 8, rank-stabilized",
        "base      lab/base",
        "targets   q_proj, v_proj",
        "whole     classifier",
    ):
        assert line in said.stdout.splitlines()
    document = json.loads(run(tmp_path, "--json").stdout)
    assert (document["adapter"]["rank"], document["encoder"]) == (4, None)
    assert document["modules"] == [{"name": "attention", "parameters": 2, "elements": 32, "bytes": 128}]


def test_nothing_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(build_header([], {}))
    said = run(tmp_path / "x.safetensors")
    assert said.exit_code == 3
    assert said.stderr == (
        f"Error: expected parameters in {tmp_path / 'x.safetensors'}, came none; fetch it again, or give a checkpoint\n"
    )


def test_text_that_steers_a_terminal_is_spelled_out(tmp_path: Path) -> None:
    header = build_header([Parameter("a", "F32", (1,))], {"note": "\x1b[2Jgone", "long": "x" * 500, "[red]": "[/red]"})
    (tmp_path / "x.safetensors").write_bytes(header + bytes(4))
    said = run(tmp_path / "x.safetensors").stdout
    assert "\x1b" not in said
    assert "'\\x1b[2Jgone'" in said
    assert "x…" in said
    assert "[/red]" in said


def test_no_checkpoint(tmp_path: Path) -> None:
    said = run(tmp_path)
    assert said.exit_code == 3
    assert said.stderr.startswith("Error: expected model.safetensors or ")


def test_torch_is_not_imported(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "x")
    for command in (["inspect", str(folder)], ["diff", str(folder), str(folder)]):
        program = (
            f"import sys\nfrom mergekit_speech.cli import main\nmain({command!r}, standalone_mode=False)\n"
            "sys.exit(sorted({'torch', 'scipy', 'matplotlib', 'pydantic'} & set(sys.modules)) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
