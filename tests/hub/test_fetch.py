from __future__ import annotations

import json
from pathlib import Path

import pytest

from mergekit_speech.errors import CheckpointError
from mergekit_speech.hub.fetch import resolve
from mergekit_speech.testing import tiny_checkpoint
from tests.hub.conftest import Run
from tests.hub.repositories import CARD, checkpoint_files, pickle_files
from tests.hub.standin import TOKEN, StandIn, commit_of
from tests.layouts.samples import Sample, write_s3prl

NAME = "lab/encoder"
NEEDED = {"config.json", "model.safetensors", "README.md", "LICENSE"}


def test_what_is_needed_is_fetched_once_and_then_found_offline(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    files = checkpoint_files(tmp_path / "made")
    hub.add(NAME, files)
    first = msm("inspect", NAME, "--json")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    assert commit_of(files) in json.loads(first.stdout)["path"]
    assert hub.fetched() == NEEDED
    assert f"Bearer {TOKEN}" in hub.authorizations
    hub.requests.clear()
    assert msm("inspect", NAME, "--json").stdout == first.stdout
    assert not hub.fetched()
    hub.requests.clear()
    assert msm("inspect", NAME, "--json", HF_HUB_OFFLINE="1").stdout == first.stdout
    assert not hub.requests


def test_pickled_weights_are_fetched_where_there_are_no_others(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    hub.add(NAME, pickle_files(tmp_path / "made"))
    done = msm("inspect", NAME, "--json")
    assert done.returncode == 0, done.stderr
    assert hub.fetched() == {"config.json", "pytorch_model.bin", "README.md", "LICENSE"}
    assert msm("inspect", NAME, "--json", HF_HUB_OFFLINE="1").stdout == done.stdout


def test_revisions(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    repository = hub.add(NAME, checkpoint_files(tmp_path / "one"))
    old = commit_of(repository.branches["main"])
    repository.branches["next"] = dict(checkpoint_files(tmp_path / "two", seed=1))
    same = msm("diff", f"{NAME}@{old}", f"{NAME}@main", "--json")
    other = msm("diff", NAME, f"{NAME}@next", "--json")
    assert same.returncode == other.returncode == 0, same.stderr + other.stderr
    assert json.loads(same.stdout)["whole"]["l2"] == 0
    assert json.loads(other.stdout)["whole"]["l2"] > 0
    wrong = msm("inspect", f"{NAME}@gone")
    assert wrong.returncode == 3
    assert wrong.stderr == (f"Error: {NAME} has no revision 'gone'; give one of its branches, tags or commits\n")


def test_unknown_repository(msm: Run) -> None:
    done = msm("inspect", "lab/nothing")
    assert done.returncode == 3
    assert done.stderr == (
        "Error: expected a checkpoint here or a repository of the hub, came 'lab/nothing': there is no such folder, and"
        " no such repository, or it is private; check the name, or log in with `hf auth login`, or set HF_TOKEN\n"
    )


def test_private_repository_needs_the_token(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    hub.add(NAME, checkpoint_files(tmp_path / "made"), private=True)
    refused = msm("inspect", NAME, HF_TOKEN="hf_another")
    assert (refused.returncode, "or it is private" in refused.stderr) == (3, True)
    assert "hf_another" not in refused.stderr
    assert msm("inspect", NAME).returncode == 0


def test_gated_repository(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    hub.add(NAME, checkpoint_files(tmp_path / "made"), gated=True)
    done = msm("inspect", NAME)
    assert done.returncode == 3
    assert done.stderr == (
        f"Error: {NAME} is gated: accept its terms on its page of the hub, then log in with `hf auth login`, or set "
        "HF_TOKEN\n"
    )


def test_offline_and_not_in_the_cache(hub: StandIn, msm: Run) -> None:
    done = msm("inspect", NAME, HF_HUB_OFFLINE="1")
    assert done.returncode == 3
    assert done.stderr == (
        f"Error: {NAME} is no folder here and not whole in the cache, and HF_HUB_OFFLINE is set; fetch it online\n"
    )
    assert not hub.requests


def test_no_network(msm: Run) -> None:
    done = msm("inspect", NAME, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 3
    assert done.stderr == (
        f"Error: {NAME} is no folder here and not whole in the cache, and the hub cannot be reached; check the "
        "network\n"
    )


@pytest.mark.parametrize("status", [403, 500])
def test_tokens_are_never_shown(hub: StandIn, msm: Run, status: int) -> None:
    hub.failing = status
    done = msm("inspect", NAME, "--debug", HF_DEBUG="0")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith(f"Error: cannot fetch {NAME}")
    assert f"the hub answered {status}" in done.stderr
    assert f"Bearer {TOKEN}" in hub.authorizations
    assert TOKEN not in done.stderr + done.stdout
    assert "user:word" not in done.stderr


def test_repository_without_weights(hub: StandIn, msm: Run) -> None:
    hub.add(NAME, {"config.json": b"{}", "README.md": b"# Nothing"})
    done = msm("inspect", NAME)
    assert done.returncode == 3
    assert done.stderr == (
        f"Error: expected model.safetensors or pytorch_model.bin in the repository {NAME}, came neither; download what "
        "it holds and name the file of weights\n"
    )


def s3prl_files(folder: Path, *names: str) -> dict[str, bytes]:
    """Encoders of s3prl, a file each, and what a training leaves beside them."""
    folder.mkdir()
    made = {name: write_s3prl(folder / name, Sample(seed=seed)).read_bytes() for seed, name in enumerate(names)}
    return made | {"README.md": CARD, "optimizer.pt": b"state", "rng_state_0.pth": b"state", "old/x.pt": b"older"}


def test_the_only_file_of_weights_is_the_encoder(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    files = s3prl_files(tmp_path / "made", "hubert.pt")
    hub.add(NAME, files)
    done = msm("inspect", NAME, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["path"].endswith(f"{commit_of(files)}/hubert.pt")
    assert (found["encoder"]["title"], found["encoder"]["layout"]["container"]) == ("HuBERT", "s3prl")
    assert hub.fetched() == {"hubert.pt", "README.md"}
    hub.requests.clear()
    assert msm("inspect", NAME, "--json", HF_HUB_OFFLINE="1").stdout == done.stdout
    assert not hub.requests


def test_of_several_files_one_is_named(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    files = s3prl_files(tmp_path / "made", "base.pt", "tuned.pt")
    hub.add(NAME, files)
    done = msm("inspect", NAME)
    assert done.returncode == 3
    assert done.stderr == (
        f"Error: expected model.safetensors or pytorch_model.bin in the repository {NAME}, came base.pt, tuned.pt; "
        f"name one of them, as in {NAME}:base.pt\n"
    )
    same = msm("diff", f"{NAME}:base.pt", f"{NAME}@{commit_of(files)}:base.pt", "--json")
    assert json.loads(same.stdout)["whole"]["l2"] == 0
    assert hub.fetched() == {"base.pt", "README.md"}
    other = msm("diff", f"{NAME}:base.pt", f"{NAME}@main:tuned.pt", "--json")
    assert json.loads(other.stdout)["whole"]["l2"] > 0
    missing = msm("inspect", f"{NAME}:gone.pt")
    assert missing.returncode == 3
    assert missing.stderr == (
        f"Error: expected 'gone.pt' in the repository {NAME}, came base.pt, tuned.pt; check the name behind the colon\n"
    )


def test_cache_that_cannot_be_written(hub: StandIn, msm: Run, tmp_path: Path) -> None:
    hub.add(NAME, checkpoint_files(tmp_path / "made"))
    (tmp_path / "file").write_text("in the way")
    done = msm("inspect", NAME, HF_HOME=str(tmp_path / "file"))
    assert done.returncode == 3
    assert done.stderr.startswith(f"Error: cannot fetch {NAME}: ")
    assert done.stderr.rstrip().endswith("give the cache another place with HF_HOME")
    assert len(done.stderr.splitlines()) == 1


def test_paths_stay_as_they_are(tmp_path: Path) -> None:
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path / "missing")) == tmp_path / "missing"


def test_name_in_a_folder_that_exists_is_a_mistyped_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_checkpoint(tmp_path / "runs" / "one")
    assert resolve("runs/one") == Path("runs/one")
    with pytest.raises(CheckpointError) as caught:
        resolve("runs/two")
    assert str(caught.value) == (
        "expected a checkpoint in the folder 'runs', came 'runs/two', which does not exist; check the path, or write "
        "runs/two@main for the repository of the hub"
    )
