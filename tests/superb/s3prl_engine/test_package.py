"""Finding s3prl, and refusing what is not the known one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mergekit_speech.errors import SettingsError
from mergekit_speech.superb.s3prl_engine.package import find_s3prl

HINT = "install it with pip install 'mergekit-speech[superb]'"


def install(folder: Path, version: str) -> Path:
    info = folder / f"s3prl-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: s3prl\nVersion: {version}\n")
    return folder


def refuse() -> str:
    with pytest.raises(SettingsError) as caught:
        find_s3prl()
    return str(caught.value)


def test_folder_that_the_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM_S3PRL", str(install(tmp_path / "a", "0.4.18")))
    assert find_s3prl() == tmp_path / "a"


def test_beside_the_package_nothing_goes_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MSM_S3PRL", raising=False)
    monkeypatch.setattr(sys, "path", [str(install(tmp_path / "site", "0.4.18"))])
    assert find_s3prl() is None


def test_folder_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MSM_S3PRL", raising=False)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert refuse() == (
        f"expected s3prl 0.4.18 for --engine s3prl, came none at Python's path or {str(tmp_path / 's3prl')!r}: {HINT},"
        " or name the folder that holds it in MSM_S3PRL"
    )
    install(tmp_path / "s3prl", "0.4.18")
    assert find_s3prl() == tmp_path / "s3prl"


def test_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSM_S3PRL", str(install(tmp_path, "0.4.17")))
    assert refuse() == f"expected s3prl 0.4.18 for --engine s3prl, came '0.4.17' at {str(tmp_path)!r}: {HINT}"
