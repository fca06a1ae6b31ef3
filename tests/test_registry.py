"""Finding strategies and tasks by name."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mergekit_speech import registry
from mergekit_speech.api import Strategy
from mergekit_speech.errors import StrategyError
from mergekit_speech.registry import CORPORA, STRATEGIES, TASKS, Registry, suggestion

GROUP = "mergekit_speech.strategies"


def install(monkeypatch: pytest.MonkeyPatch, *, claimed: str = GROUP, **plugins: object) -> None:
    """Pretend that distributions with these entry points are installed; a value is what the entry point names."""
    module = ModuleType("fake_plugin")
    for name, value in plugins.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "fake_plugin", module)
    points = tuple(EntryPoint(name, f"fake_plugin:{name}", claimed) for name in plugins)
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == claimed else ())


def plugin() -> Strategy:
    return Strategy(merge=lambda block, _args, _found: block.base, summary="", source="")


def test_builtins_are_the_modules_of_the_folder() -> None:
    folder = Path(__file__).parent.parent / "strategies"
    assert {path.stem for path in folder.glob("[!_]*.py")} <= set(STRATEGIES.names())


@pytest.mark.parametrize("name", ["linear", "task_arithmetic", "ties"])
def test_builtins_load(name: str) -> None:
    assert isinstance(STRATEGIES.load(name), Strategy)


def test_unknown_name_offers_the_nearest_and_the_list() -> None:
    with pytest.raises(StrategyError) as caught:
        STRATEGIES.load("tis")
    assert str(caught.value).startswith("expected a strategy, came 'tis' (did you mean 'ties'?); there are: ")
    assert str(caught.value).endswith(", ".join(STRATEGIES.names()))


def test_a_folder_that_does_not_exist_has_no_names() -> None:
    nothing: Registry[object] = Registry("thing", "mergekit_speech.no_such_package", "THING")
    assert nothing.names() == []
    with pytest.raises(StrategyError, match="expected a thing, came 'x'; there are: none"):
        nothing.load("x")


def test_plugin_is_listed_and_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = plugin()
    install(monkeypatch, mine=mine)
    assert "mine" in STRATEGIES.names()
    assert STRATEGIES.load("mine") is mine


def test_plugin_may_not_shadow_a_builtin(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, linear=plugin())
    message = (
        "expected one strategy called 'linear', came the built-in mergekit_speech.strategies.linear and "
        "the plugin 'fake_plugin:linear' of an unknown distribution; uninstall or rename the plugin"
    )
    with pytest.raises(StrategyError) as caught:
        STRATEGIES.load("linear")
    assert str(caught.value) == message


def test_broken_plugin_breaks_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", "no_such_module_anywhere:STRATEGY", GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: (point,) if group == GROUP else ())
    assert {"broken", "ties"} <= set(STRATEGIES.names())
    assert isinstance(STRATEGIES.load("ties"), Strategy)
    with pytest.raises(
        StrategyError, match=r"strategy 'broken' of the plugin .* cannot be loaded: ModuleNotFoundError"
    ):
        STRATEGIES.load("broken")


def test_plugin_of_the_wrong_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, wrong=3)
    with pytest.raises(
        StrategyError, match=r"expected the plugin 'fake_plugin:wrong' .* to be a Strategy, came 3; see"
    ):
        STRATEGIES.load("wrong")


@pytest.mark.parametrize(
    ("things", "said"),
    [
        (TASKS, "a Task, came {'name': 'wrong'}; see mergekit_speech.tasks.parts.task"),
        (CORPORA, "a Corpus, came {'name': 'wrong'}; see mergekit_speech.speech.corpora.parts.corpus"),
    ],
)
def test_plugin_that_is_no_task_or_corpus(monkeypatch: pytest.MonkeyPatch, things: Registry[Any], said: str) -> None:
    install(monkeypatch, claimed=things.package, wrong={"name": "wrong"})
    with pytest.raises(StrategyError) as caught:
        things.load("wrong")
    assert str(caught.value) == f"expected the plugin 'fake_plugin:wrong' of an unknown distribution to be {said}"


def test_module_without_its_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd_things").mkdir()
    (tmp_path / "odd_things" / "__init__.py").touch()
    (tmp_path / "odd_things" / "empty.py").touch()
    (tmp_path / "odd_things" / "_hidden.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    things: Registry[object] = Registry("thing", "odd_things", "THING")
    assert things.names() == ["empty"]
    with pytest.raises(StrategyError, match=r"expected odd_things.empty.THING to be an object called THING, came None"):
        things.load("empty")


def test_no_suggestion_when_nothing_is_near() -> None:
    assert suggestion("zzz", ["linear"]) == ""
