"""Which errors of the system mean that there is no room."""

from __future__ import annotations

import errno

import pytest

from mergekit_speech.errors import OutputError
from mergekit_speech.training.disk import report_full_disk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_no_room_becomes_one_line(number: int) -> None:
    with pytest.raises(OutputError) as caught, report_full_disk("write a.txt", "make room"):
        raise OSError(number, "no room")
    assert str(caught.value) == f"cannot write a.txt ([Errno {number}] no room): make room"


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "gone"), ValueError("x"), OSError("without a number")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, report_full_disk("write", "make room"):
        raise error
    assert caught.value is error
