"""`msm bench`."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from mergekit_speech.cli._lists import read_per_task
from mergekit_speech.superb.ledger import Ledger, partial_path
from tests.superb.corpus import result, rewrite

FEW = ("--seeds", "0,1", "--steps", "4", "--batch", "6", "--accumulate", "1", "--lr", "ks=1e-2,pr=1e-3")


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def bench(corpus: Path, output: Path, *arguments: str | Path, encoder: str | Path = "logmel") -> Result:
    return invoke(encoder, "--data", corpus, "--tasks", "ks,pr", "--output", output, *FEW, *arguments)


def test_table_shows_encoders_beside_the_first(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    done = bench(corpus, tmp_path / "report", f"floor=random:{tiny_hubert}", encoder=f"base={tiny_hubert}")
    assert done.exit_code == 0, done.output
    assert "PR PER ↓" in done.stdout
    assert "Deltas from base, paired by seed and test item." in " ".join(done.stdout.split())
    rows = [line.split() for line in done.stdout.splitlines() if " floor " in line]
    assert all("±" in row for row in rows[:3])
    assert "1/8  base: ks, seed 0: acc" in done.stderr
    assert "8/8  floor: pr, seed 1: per" in done.stderr
    assert done.stderr.endswith(f"report: {tmp_path / 'report' / 'report.html'}\n")


def test_json_is_one_document_with_settings_by_task(corpus: Path, tmp_path: Path) -> None:
    done = bench(corpus, tmp_path / "report", "--json", "--quiet", "--references", "superb-site", "--cache", "1MB")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["output"] == str(tmp_path / "report")
    assert found["score"]["references"] == "superb-site"
    settings = {task["name"]: task["settings"] for task in found["tasks"]}
    wanted = {"steps": 4, "learning_rate": 1e-2, "clips": 6, "accumulate": 1, "evaluate_every": 1}
    assert settings["ks"] == wanted | {"clip_norm": 1.0, "weight_decay": 0.0}
    assert settings["pr"]["learning_rate"] == 1e-3
    assert found["seeds"] == [0, 1]
    assert done.stderr == ""
    del found["output"]
    assert json.loads((tmp_path / "report" / "results.json").read_text()) == found


def test_resume_takes_over_what_is_done(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    first = json.loads(bench(corpus, output, "--json").stdout)
    probe = first["probes"][0]
    key = {
        "encoder": first["encoders"][0]["digest"],
        "engine": "native",
        "task": "ks",
        "manifest": first["tasks"][0]["manifest"],
        "folds": [None],
        "settings": first["tasks"][0]["settings"],
        "seed": probe["seed"],
    }
    known = replace(result("logmel", "ks", probe["seed"], acc=0.125), layer_weights=[1.0])
    Ledger(partial_path(output)).add(key, known)
    again = bench(corpus, output, "--json", "--resume", "--overwrite")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["probes"][0]["test"] == {"acc": 0.125}
    assert "1/4  logmel: ks, seed 0: acc 12.50 % (taken over)" in again.stderr
    assert not partial_path(output).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--steps", "many"), "expected a whole number for --steps, came 'many'"),
        (("--steps", "ks=2.5"), "expected a whole number for --steps, came '2.5'"),
        (("--lr", "ks=fast"), "expected a number for --lr, came 'fast'"),
        (("--lr", "ks=1,ks=2"), "expected each task once for --lr, came 'ks=1,ks=2'"),
        (("--seeds", "0,x"), "expected a whole number for --seeds, came 'x'"),
        (("--seeds", ","), "expected at least one seed, came none"),
        (("--tasks", ","), "expected at least one task to probe, came none"),
        (("--tasks", "kss"), "expected a task, came 'kss' (did you mean 'ks'?)"),
        (("--tasks", "ks", "--lr", "pr=1"), "expected learning_rate for a task among ks, came 'pr'"),
        (("--references", "paper"), "expected a set of references among speech-ft, superb-site, came 'paper'"),
        (("--tune", "1e-2"), "expected lr=RATE,RATE,… for --tune, came '1e-2'"),
        (("--tune", "lr=fast"), "expected a number for --tune, came 'fast'"),
        (("--tune", "lr=1,1"), "expected different learning rates above 0, came [1.0, 1.0]: correct 1.0"),
        (("--tune", "lr=1", "--engine", "s3prl"), "expected the engine 'native' to choose learning rates"),
        (("--cache", "lots"), "expected a size such as 256MB or 1.5GB, came 'lots'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    corpus: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = bench(corpus, tmp_path / "report", *arguments)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_bad_data_is_one_line_and_exit_3(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "data")
    rewrite(tmp_path / "data", "pr", {"phones": None}, split="valid")
    done = bench(tmp_path / "data", tmp_path / "report")
    assert done.exit_code == 3
    assert done.stderr.startswith("Error: task 'pr': ")
    assert "missing field 'phones'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_truncated_shard_is_one_line_and_exit_3(corpus: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(tiny_hubert, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    done = bench(corpus, tmp_path / "report", encoder=folder)
    assert done.exit_code == 3, done.output
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert "model.safetensors" in done.stderr or str(folder) in done.stderr


def test_clip_that_cannot_be_decoded_is_one_line_and_exit_3(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "data")
    clip = sorted((tmp_path / "data" / "audio").glob("valid-*"))[0]
    clip.write_bytes(b"no audio")
    done = bench(tmp_path / "data", tmp_path / "report")
    assert done.exit_code == 3
    assert f"clip {clip} cannot be decoded" in done.stderr


def test_failed_task_leaves_the_others_and_exit_3(corpus: Path, tmp_path: Path) -> None:
    data, output = tmp_path / "data", tmp_path / "report"
    shutil.copytree(corpus, data)
    rows = [json.loads(line) for line in (data / "ks" / "manifest.jsonl").read_text().splitlines()]
    whole = (data / rows[0]["path"]).read_bytes()
    (data / "audio" / "own.wav").write_bytes(b"no audio")
    rows[0]["path"] = "audio/own.wav"
    (data / "ks" / "manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = bench(data, output)
    assert done.exit_code == 3, done.output
    assert f"failed: clip {data / 'audio' / 'own.wav'} cannot be decoded" in done.stderr
    assert "Error: 1 of what was to be probed failed, the first: clip " in done.stderr
    found = json.loads((output / "results.json").read_text())
    assert [failure["task"] for failure in found["failures"]] == ["ks"]
    assert [(probe["task"], probe["seed"]) for probe in found["probes"]] == [("pr", 0), ("pr", 1)]
    (data / "audio" / "own.wav").write_bytes(whole)
    again = bench(data, output, "--resume", "--overwrite")
    assert again.exit_code == 0, again.output
    assert again.stderr.count("(taken over)") == 2
    assert not partial_path(output).exists()


def test_rates_store_and_events(corpus: Path, tmp_path: Path) -> None:
    kept = ("--tune", "lr=1e-2,1e-3", "--store", tmp_path / "store", "--state-format", "float16")
    done = bench(corpus, tmp_path / "report", "--json", *kept, "--tensorboard", tmp_path / "events")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [trial["learning_rate"] for trial in found["probes"][0]["tried"]] == [1e-2, 1e-3]
    assert list((tmp_path / "store").glob("*/*.states"))
    assert list((tmp_path / "events").glob("logmel/*/seed-*/lr-*/events.*"))


def test_output_that_is_taken_is_exit_1(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    done = bench(corpus, tmp_path / "report")
    assert done.exit_code == 1
    assert "which is a file; choose another path" in done.stderr


def test_numbers_for_all_tasks_or_by_task() -> None:
    assert read_per_task(None, int, "--steps") is None
    assert read_per_task("7", int, "--steps") == 7
    assert read_per_task("pr=1e-2, sid=1e-3", float, "--lr") == {"pr": 1e-2, "sid": 1e-3}
