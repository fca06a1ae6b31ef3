"""`msm bench --engine s3prl` where there is no s3prl."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mergekit_speech.cli import main


def test_without_s3prl(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM_S3PRL", str(tmp_path / "none"))
    command = ["bench", "fbank", "--data", str(corpus), "--tasks", "ks", "--output", str(tmp_path / "report")]
    done = CliRunner().invoke(main, [*command, "--engine", "s3prl"])
    assert done.exit_code == 2
    assert " ".join(done.stderr.split()).endswith(
        f"expected s3prl 0.4.18 for --engine s3prl, came none at {str(tmp_path / 'none')!r}: install it with"
        " pip install 'mergekit-speech[superb]', or name the folder that holds it in MSM_S3PRL"
    )
    assert not (tmp_path / "report").exists()
