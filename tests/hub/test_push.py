from __future__ import annotations

import json
from pathlib import Path

import pytest

from mergekit_speech.errors import CheckpointError, SettingsError, ShardError
from mergekit_speech.hub.push import list_files, push, read_target
from mergekit_speech.testing import tiny_checkpoint
from tests.hub.conftest import Run
from tests.hub.repositories import CARD
from tests.hub.standin import LARGE, TOKEN, StandIn

NAME = "lab/merged"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tiny_checkpoint(tmp_path / "merged", shapes={"encoder.weight": (30, 30)})
    (made / "README.md").write_bytes(CARD)
    (made / ".hidden").write_text("private")
    (made / "checkpoints").mkdir()
    (made / "checkpoints" / "state.pt").write_text("state")
    return made


def test_small_and_large_files_arrive(hub: StandIn, msm: Run, folder: Path) -> None:
    done = msm("push", "merged", NAME, "--message", "First", "--json")
    assert done.returncode == 0, done.stderr
    pushed = hub.repositories[NAME]
    expected = {name: (folder / name).read_bytes() for name in ("README.md", "config.json", "model.safetensors")}
    assert pushed.branches["main"] == expected
    assert len(expected["model.safetensors"]) > LARGE > len(expected["config.json"])
    assert (pushed.messages, pushed.private) == (["First"], False)
    report = json.loads(done.stdout)
    assert report["url"] == f"{hub.endpoint}/{NAME}"
    assert report["files"] == {name: len(content) for name, content in sorted(expected.items())}
    again = msm("inspect", NAME)
    assert again.returncode == 0, again.stderr


def test_url_is_shown(hub: StandIn, msm: Run, folder: Path) -> None:
    done = msm("push", "merged", NAME)
    assert f"{hub.endpoint}/{NAME}" in done.stderr
    assert "Upload with mergekit-speech" in hub.repositories[NAME].messages
    assert TOKEN not in done.stderr + done.stdout


def test_private_repository_and_branch(hub: StandIn, msm: Run, folder: Path) -> None:
    done = msm("push", "merged", NAME, "--private", "--branch", "ties")
    assert done.returncode == 0, done.stderr
    assert hub.repositories[NAME].private
    assert not hub.repositories[NAME].branches["main"]
    assert "model.safetensors" in hub.repositories[NAME].branches["ties"]


def test_public_repository_is_not_taken_for_a_private_one(hub: StandIn, msm: Run, folder: Path) -> None:
    hub.add(NAME, {})
    done = msm("push", "merged", NAME, "--private")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {NAME} exists and is public; make it private on its page, or push without --private\n"
    )
    assert not hub.repositories[NAME].branches["main"]


def test_dry_run_lists_and_sends_nothing(hub: StandIn, msm: Run, folder: Path) -> None:
    shown = msm("push", "merged", NAME, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert [name for name in ("README.md", "config.json", "model.safetensors") if name not in shown.stdout] == []
    assert "state.pt" not in shown.stdout
    assert "3 files" in shown.stderr
    listed = json.loads(msm("push", "merged", NAME, "--dry-run", "--json").stdout)
    assert listed == {"repository": NAME, "files": list_files(folder)}
    assert not hub.requests


def test_missing_card_is_told(msm: Run, folder: Path) -> None:
    (folder / "README.md").unlink()
    done = msm("push", "merged", NAME, "--dry-run")
    assert "warning: merged has no README.md, so its page will have no model card\n" in done.stderr


def test_refused_token_is_not_shown(hub: StandIn, msm: Run, folder: Path) -> None:
    done = msm("push", "merged", NAME, "--debug", HF_TOKEN="hf_wrong")
    assert done.returncode == 1
    assert "Bearer hf_wrong" in hub.authorizations
    assert "hf_wrong" not in done.stderr + done.stdout
    assert done.stderr.splitlines()[-1] == (
        f"Error: cannot push to {NAME}: the hub answered 401, the token does not allow it, or there is none; log in "
        "with `hf auth login`, or set HF_TOKEN"
    )


def test_failing_hub(hub: StandIn, msm: Run, folder: Path) -> None:
    hub.failing = 400
    done = msm("push", "merged", NAME)
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: cannot push to {NAME}: the hub answered 400 (broken for Bearer … at http://…host/x); try again later\n"
    )


def test_offline(msm: Run, folder: Path) -> None:
    done = msm("push", "merged", NAME, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert done.stderr == f"Error: cannot push to {NAME}: HF_HUB_OFFLINE is set; unset it\n"


def test_bad_card(msm: Run, folder: Path) -> None:
    (folder / "README.md").write_text("no front matter")
    done = msm("push", "merged", NAME)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: cannot push to {NAME}: ValueError: Invalid metadata in README.md.")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["merged", "a/b/c", "a/b@main", "a/b:c", "../b"])
def test_names_that_are_none(folder: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        push(folder, name)
    assert str(caught.value) == (f"expected owner/name of a repository, came {name!r}; give a branch with --revision")


def test_branch_that_is_no_name() -> None:
    with pytest.raises(SettingsError, match=r"^expected the name of a branch, came 'a b'; use letters, digits, "):
        read_target(NAME, "a b")


def test_folders_that_are_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"^expected the folder of a checkpoint to push, came '.*gone'"):
        list_files(tmp_path / "gone")
    with pytest.raises(CheckpointError, match=r"^expected model.safetensors or "):
        list_files(tmp_path)
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(CheckpointError) as caught:
        list_files(tmp_path)
    assert str(caught.value) == (
        f"expected a checkpoint to push, came the run {str(tmp_path)!r}; push {tmp_path / 'encoder'}"
    )


def test_damaged_weights_and_links_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    (folder / "notes.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(ShardError, match=r"notes.txt in its own folder, came a link to .*secret"):
        list_files(folder)
    (folder / "model.safetensors").write_bytes(b"text")
    with pytest.raises(ShardError, match=r"model\.safetensors"):
        list_files(folder)
