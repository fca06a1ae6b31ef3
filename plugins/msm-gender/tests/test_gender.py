import json
from pathlib import Path

from msm_gender import TASK

from mergekit_speech.testing import check_task


def test_contract(tmp_path: Path) -> None:
    places = [(split, gender) for split in ("train", "valid", "test") for gender in "fmfm"]
    clips = [
        {"id": str(n), "path": f"{n}.wav", "duration": 1.0, "split": split, "gender": gender, "speaker": f"{n}"}
        for n, (split, gender) in enumerate(places)
    ]
    (tmp_path / "asr").mkdir()
    (tmp_path / "asr" / "manifest.jsonl").write_text("".join(f"{json.dumps(clip)}\n" for clip in clips))
    check_task(TASK, TASK.splits(tmp_path))
