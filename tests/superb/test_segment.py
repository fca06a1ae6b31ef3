"""Files of hidden states: whole or absent, read as they were written, refused otherwise."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mergekit_speech.errors import CheckpointError, OutputError
from mergekit_speech.superb.segment import Array, SegmentWriter, open_segment

NOTICED = r"^expected .*\.states(, which is cut short| as it was written, but it is damaged): delete it$"


def written(folder: Path) -> Path:
    writer = SegmentWriter(folder)
    writer.add("a", np.arange(6, dtype=np.float32).reshape(1, 2, 3))
    writer.add("b", np.ones((2, 0, 3), np.float16))
    return writer.seal().path


@settings(deadline=None, max_examples=30)
@given(st.lists(hnp.arrays(np.dtype("float32"), hnp.array_shapes(min_dims=1, max_dims=3)), max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, arrays: list[Array]) -> None:
    writer = SegmentWriter(tmp_path_factory.mktemp("s"))
    for number, array in enumerate(arrays):
        writer.add(str(number), array)
    sealed = writer.seal()
    found = open_segment(sealed.path)
    assert found.size == sealed.size == sealed.path.stat().st_size
    assert list(found.arrays) == list(sealed.arrays) == [str(number) for number in range(len(arrays))]
    for number, array in enumerate(arrays):
        np.testing.assert_array_equal(found.arrays[str(number)], array)
        np.testing.assert_array_equal(sealed.arrays[str(number)], array)


def test_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.add("a", np.ones(3, np.float32))
    assert not list(tmp_path.glob("*.states"))
    writer.discard()
    assert not list(tmp_path.iterdir())


def test_reader_may_write_without_changing_the_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    open_segment(path).arrays["a"][...] = 7
    assert open_segment(path).arrays["a"][0, 1, 2] == 5


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_one_other_byte_or_any_cut_is_noticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = written(tmp_path_factory.mktemp("s"))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    other = bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))])
    for broken in (whole[:place], whole[:place] + other + whole[place + 1 :]):
        path.write_bytes(broken)
        with pytest.raises(
            CheckpointError,
            match=NOTICED,
        ):
            open_segment(path)


@pytest.mark.parametrize("step", ["open", "add", "seal"])
def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    said = r"cannot keep hidden states in .* \(No space left on device\): make room, or give a smaller --cache"
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: object, **__: object) -> None:
        raise full

    if step == "open":
        monkeypatch.setattr(Path, "open", fail)
        with pytest.raises(OutputError, match=said):
            SegmentWriter(tmp_path)
        return
    writer = SegmentWriter(tmp_path)
    if step == "seal":
        writer.add("a", np.ones(3, np.float32))
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(writer, "_file", Full())
    with pytest.raises(OutputError, match=said):
        writer.add("a", np.ones(3, np.float32)) if step == "add" else writer.seal()
    assert not list(tmp_path.iterdir())


class Full:
    """A file on a full disk."""

    def write(self, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")
