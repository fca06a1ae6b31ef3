"""Manifests: what is read, and what is refused with the line to look at."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mergekit_speech.errors import DataError
from mergekit_speech.speech.address import Address
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import manifest_folders, read_manifest
from tests.speech.corpus import fill, write_manifest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "path", "duration", "split", "label", "bytes"), JSON))


def refuse(data: Path, *fields: str) -> str:
    with pytest.raises(DataError) as caught:
        read_manifest(data, "pr", fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_line(data: Path, line: bytes) -> Path:
    path = write_manifest(data, "pr", [{}])
    path.write_bytes(path.read_bytes() + line)
    return path


def test_clips_come_in_file_order_with_all_their_fields(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "pr", [{"id": "b", "speaker": "s1", "duration": 2}, {"id": 7, "split": "test"}])
    assert read_manifest(tmp_path, "pr", ["path"]) == [
        Clip("b", tmp_path / "audio/b.wav", 2.0, "train", {"speaker": "s1"}, f"{path}:1"),
        Clip("7", tmp_path / "audio/7.wav", 1.0, "test", {}, f"{path}:2"),
    ]


def test_blank_lines_and_windows_line_ends_are_passed_over(tmp_path: Path) -> None:
    write_line(tmp_path, b"\r\n  \n" + json.dumps(fill(9, {})).encode() + b"\r\n")
    assert [clip.source.rpartition(":")[2] for clip in read_manifest(tmp_path, "pr")] == ["1", "4"]


def test_unusual_separators_inside_a_text_do_not_cut_the_line(tmp_path: Path) -> None:
    write_manifest(tmp_path, "pr", [{"text": "a\u2028b\x85c"}])
    assert read_manifest(tmp_path, "pr")[0].fields["text"] == "a\u2028b\x85c"


def test_missing_manifest_lists_those_there_are(tmp_path: Path) -> None:
    write_manifest(tmp_path, "ks", [{}])
    write_manifest(tmp_path, "er", [{}])
    expected = f"no manifest at {tmp_path}/pr/manifest.jsonl: expected a file with one JSON object a line; "
    assert refuse(tmp_path) == f"{expected}{tmp_path} has manifests for: er, ks"


def test_folder_without_any_manifest(tmp_path: Path) -> None:
    assert refuse(tmp_path).endswith(f"{tmp_path} has no <task>/manifest.jsonl at all")


def test_missing_data_folder(tmp_path: Path) -> None:
    expected = f"data folder {tmp_path}/gone does not exist: give the folder that holds <task>/manifest.jsonl"
    assert refuse(tmp_path / "gone") == expected
    with pytest.raises(DataError, match="gone does not exist"):
        manifest_folders(tmp_path / "gone")


def test_folders_with_manifests_are_sorted(tmp_path: Path) -> None:
    for name in ("ks", "asr"):
        write_manifest(tmp_path, name, [{}])
    (tmp_path / "empty").mkdir()
    assert manifest_folders(tmp_path) == ["asr", "ks"]


def test_empty_manifest(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "pr", [])
    assert refuse(tmp_path) == f"{path} holds no clip: expected one JSON object a line"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"{", "not a JSON object (Expecting property name enclosed in double quotes at column 2)"),
        (b"[1, 2]", "expected a JSON object, got [1, 2]"),
        (b'{"id": "\xff"}', "not UTF-8 (invalid start byte at byte 9): save it as UTF-8"),
        (b"1" * 5000, "not a JSON object that Python can read (Exceeds the limit"),
        (b"[" * 100_000, "not a JSON object that Python can read (maximum recursion depth exceeded"),
        (b'{"path": "a.wav", "split": "train"}', "missing fields 'id', 'duration'"),
        (b'{"path": "a.wav", "split": "train", "id": "x"}', "missing field 'duration'"),
    ],
)
def test_malformed_line_is_named(tmp_path: Path, line: bytes, text: str) -> None:
    path = write_line(tmp_path, line)
    assert refuse(tmp_path).startswith(f"{path}:2: {text}")


def test_field_that_the_task_needs(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "pr", [{"phones": ["AA"]}, {}, {"phones": ["B"]}, {}])
    expected = f"{path}:2: missing field 'phones' (2 of 4 clips lack it): add it, or drop these lines"
    assert refuse(tmp_path, "phones") == expected


@pytest.mark.parametrize("duration", [0, -1.5, True, "2", None, float("nan"), float("inf"), 10**400])
def test_duration_that_is_no_length(tmp_path: Path, duration: object) -> None:
    path = write_manifest(tmp_path, "pr", [{"duration": duration}])
    expected = f"{path}:1: duration must be a positive number of seconds, got {str(repr(duration))[:60]}"
    assert refuse(tmp_path) == expected


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0), size=st.integers(1))
def test_recording_may_be_a_part_of_a_file_here_or_elsewhere(tmp_path: Path, start: int, size: int) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "path": "shards/a.tar", "bytes": [start, size]},
        {"id": "b", "path": "s3://bucket//b.tar", "bytes": [start, size], "label": "x"},
        {"id": "c", "path": "s3://bucket//c.flac"},
    ]
    write_manifest(tmp_path, "pr", rows)
    clips = read_manifest(tmp_path, "pr")
    assert [clip.path for clip in clips] == [
        Address(f"{tmp_path}/shards/a.tar", start, size),
        Address("s3://bucket//b.tar", start, size),
        Address("s3://bucket//c.flac"),
    ]
    assert [clip.fields for clip in clips] == [{}, {"label": "x"}, {}]


@pytest.mark.parametrize("part", [0, "0-5", [], [5], [-1, 5], [0, 0], [0, 1.5], [True, 5], [0, True], [1, 2, 3]])
def test_bytes_that_are_no_part(tmp_path: Path, part: object) -> None:
    path = write_manifest(tmp_path, "pr", [{"bytes": part}])
    assert refuse(tmp_path) == f"{path}:1: bytes must be the first byte and the number of bytes, got {part!r}"


@pytest.mark.parametrize("field", ["id", "path", "split"])
@pytest.mark.parametrize("value", ["", None, False, 1.5, ["a"]])
def test_name_that_is_no_string(tmp_path: Path, field: str, value: object) -> None:
    path = write_manifest(tmp_path, "pr", [{field: value}])
    assert refuse(tmp_path) == f"{path}:1: {field} must be a string, got {value!r}"


def test_repeated_id_names_both_lines(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, "pr", [{"id": "a"}, {"id": "b"}, {"id": "a"}])
    assert refuse(tmp_path) == f"{path}:3: id 'a' stands already at {path}:1; ids must be unique"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=st.binary(max_size=40) | st.text(max_size=40).map(str.encode) | ROWS.map(lambda row: json.dumps(row).encode())
)
@example(line=b"{}")
@example(line=b"\xef\xbb\xbf{}")
@example(line=b"1e999")
def test_any_line_is_a_clip_or_a_data_error(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "pr" / "manifest.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(line.replace(b"\n", b" ") + b"\n")
    with contextlib.suppress(DataError):
        assert [clip.duration > 0 for clip in read_manifest(tmp_path, "pr")] == [True]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"id": st.text(min_size=1), "duration": st.floats(1e-3, 1e4), "split": st.text(min_size=1), "text": JSON}
        ),
        min_size=1,
        unique_by=lambda row: row["id"],
    )
)
def test_what_was_written_is_read_back(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    path = tmp_path / "pr" / "manifest.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps({**row, "path": "a.wav"}) + "\n" for row in rows), encoding="utf-8")
    read = [{"id": clip.id, "duration": clip.duration, "split": clip.split} for clip in read_manifest(tmp_path, "pr")]
    assert read == [{name: row[name] for name in ("id", "duration", "split")} for row in rows]
