"""Arrays on disk within a budget, shared by processes, and damaged files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.errors import OutputError
from mergekit_speech.superb.segment import SegmentWriter
from mergekit_speech.superb.shelf import Shelf

ONE = np.ones(1000, np.float32)
PLENTY = 1 << 20


def order(*keys: str) -> dict[str, int]:
    return {key: place for place, key in enumerate(keys)}


def filled(root: Path, *keys: str, name: str = "encoder", budget: int = PLENTY) -> Shelf:
    shelf = Shelf(root, name, budget)
    for key in keys:
        shelf.add(key, ONE, order(*keys))
    shelf.seal()
    return shelf


def test_what_is_sealed_is_found_now_and_later(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "e", PLENTY)
    shelf.add("a", 2 * ONE, {})
    assert "a" not in shelf
    assert shelf.find("a") is None
    shelf.seal()
    for each in (shelf, Shelf(tmp_path, "e", PLENTY)):
        found = each.find("a")
        assert found is not None
        assert found.sum() == 2000
    assert "a" not in Shelf(tmp_path, "another", PLENTY)


def test_two_writers_share_a_folder(tmp_path: Path) -> None:
    one, two = Shelf(tmp_path, "e", PLENTY), Shelf(tmp_path, "e", PLENTY)
    for shelf, keys in ((one, "ab"), (two, "bc")):
        for key in keys:
            shelf.add(key, ONE, {})
    one.seal()
    two.seal()
    third = Shelf(tmp_path, "e", PLENTY)
    assert all(key in third for key in "abc")


def test_what_is_needed_last_makes_room(tmp_path: Path) -> None:
    shelf = filled(tmp_path, "c", "d", budget=9000)
    assert "c" in shelf
    assert "d" in shelf
    known = order("a", "b", "c", "d")
    assert shelf.add("a", ONE, known)
    shelf.seal()
    assert [key for key in "abcd" if key in shelf] == ["a", "c"]
    assert not shelf.add("d", ONE, known)


def test_what_is_not_needed_makes_room_first(tmp_path: Path) -> None:
    shelf = filled(tmp_path, "a", "b", budget=9000)
    assert shelf.add("c", ONE, order("b", "c"))
    shelf.seal()
    assert [key for key in "abc" if key in shelf] == ["b", "c"]


def test_states_of_other_encoders_make_room_the_oldest_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "old")):
        filled(tmp_path, "a", name=name)
        for path in (tmp_path / name).iterdir():
            os.utime(path, (1e9 - age, 1e9 - age))
    shelf = Shelf(tmp_path, "mine", 9500)
    assert shelf.add("a", ONE, {})
    assert not list((tmp_path / "old").iterdir())
    assert list((tmp_path / "new").iterdir())


def test_opening_counts_as_use(tmp_path: Path) -> None:
    filled(tmp_path, "a")
    [path] = (tmp_path / "encoder").iterdir()
    os.utime(path, (1e9, 1e9))
    Shelf(tmp_path, "encoder", PLENTY)
    assert path.stat().st_mtime > 1e9


def test_deleted_file_is_read_on_by_who_has_it_open(tmp_path: Path) -> None:
    mine = filled(tmp_path, "a")
    for path in (tmp_path / "encoder").iterdir():
        path.unlink()
    found = mine.find("a")
    assert found is not None
    assert found.sum() == 1000


def test_damaged_file_is_told_of_and_deleted(tmp_path: Path) -> None:
    filled(tmp_path, "a")
    [path] = (tmp_path / "encoder").iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    told: list[Path] = []
    shelf = Shelf(tmp_path, "encoder", PLENTY, told.append)
    assert told == [path]
    assert not path.exists()
    assert "a" not in shelf


@pytest.mark.parametrize("fault", [OutputError("full"), KeyboardInterrupt()])
def test_what_stops_amid_an_array_loses_only_what_was_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    shelf = filled(tmp_path, "a")

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(SegmentWriter, "add", fail)
    with pytest.raises(type(fault)):
        shelf.add("b", ONE, {})
    shelf.seal()
    assert "a" in shelf
    assert len(list((tmp_path / "encoder").iterdir())) == 1


def test_what_a_killed_process_left_is_deleted_after_a_day(tmp_path: Path) -> None:
    for age, name in ((0, "running"), (90_000, "killed")):
        SegmentWriter(tmp_path / "encoder").add(name, ONE)
        [path] = [path for path in (tmp_path / "encoder").iterdir() if "old" not in path.name]
        now = path.stat().st_mtime
        os.utime(path.rename(path.with_name(f"old-{name}.partial")), (now - age, now - age))
    Shelf(tmp_path, "encoder", PLENTY)
    assert [path.name for path in (tmp_path / "encoder").iterdir()] == ["old-running.partial"]
