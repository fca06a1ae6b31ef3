from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.hub.names import HubId, cached_id, lasting_name, parse_id, read_id, short_name

COMMIT = "dba3bb02fda4248b6e082697eee756de8fe8aa8a"
WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(WORDS, WORDS, st.none() | WORDS, st.none() | WORDS)
def test_what_is_written_is_read(owner: str, name: str, revision: str | None, file: str | None) -> None:
    place = HubId(owner, name, revision, file)
    assert parse_id(str(place)) == place


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    found = parse_id(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("facebook/hubert-base-ls960", None),
        ("microsoft/wavlm-base-plus@main", "main"),
        ("a/b@refs/pr/3", "refs/pr/3"),
        ("a/b@v1.0", "v1.0"),
    ],
)
def test_repositories(text: str, revision: str | None) -> None:
    found = read_id(text)
    assert found is not None
    assert (str(found), found.revision) == (text, revision)
    assert found.repository == text.partition("@")[0]


@pytest.mark.parametrize(
    ("text", "revision"), [("s3prl/converted_ckpts:hubert_base.pt", None), ("a/b@refs/pr/3:x-1.ckpt", "refs/pr/3")]
)
def test_files_in_repositories(text: str, revision: str | None) -> None:
    found = read_id(text)
    assert found is not None
    assert (str(found), found.revision, found.file) == (text, revision, text.partition(":")[2])


@pytest.mark.parametrize(
    "text",
    [
        "a/b:",
        "a/b:../x.pt",
        "a/b:c/x.pt",
        "C:/b",
        "hubert",
        "a/b/c",
        "/a/b",
        "./b",
        "../b",
        "~/b",
        "a/",
        "a/b@",
        "a/b@../../x",
        "a/b--c",
        "a b/c",
        "a/b\n",
        "a/model.safetensors",
        "a/recipe.yaml",
        "ä/b",
        "a/" + "b" * 97,
    ],
)
def test_paths(text: str) -> None:
    assert read_id(text) is None


def test_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facebook" / "hubert").mkdir(parents=True)
    assert read_id("facebook/hubert") is None
    assert read_id("facebook/hubert@main") == HubId("facebook", "hubert", "main")


def test_folder_of_the_cache_has_the_name_of_its_repository() -> None:
    folder = Path("/home/x/.cache/huggingface/hub/models--facebook--hubert-base-ls960/snapshots") / COMMIT
    assert cached_id(folder) == HubId("facebook", "hubert-base-ls960", COMMIT)
    assert lasting_name(folder) == short_name(folder) == f"facebook/hubert-base-ls960@{COMMIT}"


def test_file_of_the_cache_has_the_name_of_its_repository() -> None:
    file = Path("/x/hub/models--s3prl--converted_ckpts/snapshots") / COMMIT / "hubert_base.pt"
    assert cached_id(file) == HubId("s3prl", "converted_ckpts", COMMIT, "hubert_base.pt")
    assert lasting_name(file) == short_name(file) == f"s3prl/converted_ckpts@{COMMIT}:hubert_base.pt"


def test_other_folders_have_their_own_names(tmp_path: Path) -> None:
    assert cached_id(tmp_path) is None
    assert cached_id(Path("/x/models--gpt2/snapshots") / COMMIT) is None
    assert lasting_name(tmp_path) == str(tmp_path.resolve())
    assert short_name(tmp_path) == tmp_path.resolve().name
