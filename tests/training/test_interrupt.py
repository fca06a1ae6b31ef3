"""Ctrl-C: once is a request, twice is an order, and afterwards all is as before."""

from __future__ import annotations

import signal
import threading

import pytest

from mergekit_speech.training.interrupt import InterruptRequest


def test_first_ctrl_c_only_asks() -> None:
    before = signal.getsignal(signal.SIGINT)
    with InterruptRequest() as request:
        assert not request.asked
        signal.raise_signal(signal.SIGINT)
        assert request.asked
    assert signal.getsignal(signal.SIGINT) is before


def test_second_ctrl_c_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with InterruptRequest():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_that_a_launcher_passes_on_is_no_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    with InterruptRequest() as request:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert request.asked


def test_other_threads_may_train_too() -> None:
    seen: list[bool] = []

    def work() -> None:
        with InterruptRequest() as request:
            seen.append(request.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
