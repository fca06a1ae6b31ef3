"""Strategies, tasks and corpora by name: built-ins are found by the name of their module, plugins by entry point.

Listing imports nothing but the folder's own package; loading imports only what is asked for, so a broken plugin breaks
only itself.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from mergekit_speech.api import Strategy
from mergekit_speech.errors import StrategyError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

T = TypeVar("T")


@dataclass(frozen=True)
class Registry(Generic[T]):
    """What one can ask for by name.

    Attributes:
        word: What the things are called in messages.
        package: Package whose plain modules are the built-ins; it is also the entry-point group of plugins.
        attribute: Name of the object that a built-in's module holds.
        kind: Class of the objects, or the path of one that is costly to import; None when any will do.
        restore: What to do when the package is missing; empty when it may be.
    """

    word: str
    package: str
    attribute: str
    kind: type[T] | str | None = None
    restore: str = ""

    def names(self) -> list[str]:
        """List all names, sorted; a plugin that cannot be loaded is listed too.

        Raises:
            StrategyError: The package of the built-ins is missing.
        """
        return sorted({*self._builtins(), *(point.name for point in self._plugins())})

    def load(self, name: str) -> T:
        """Import what has this name.

        Args:
            name: Registry name, such as "ties".

        Raises:
            StrategyError: The name is unknown, two distributions claim it, what it names cannot be loaded, or the
                package of the built-ins is missing.
        """
        found = self._builtins().get(name)
        points = [point for point in self._plugins() if point.name == name]
        self._refuse_two(name, found, points)
        if found is not None:
            return self._check(getattr(import_module(found), self.attribute, None), f"{found}.{self.attribute}")
        if points:
            return self._load_plugin(points[0])
        names = self.names()
        listed = ", ".join(names) or "none"
        raise StrategyError(f"expected a {self.word}, came {name!r}{suggestion(name, names)}; there are: {listed}")

    def _builtins(self) -> dict[str, str]:
        # A missing package has no modules to offer; a broken one must say so itself.
        if find_spec(self.package) is None:
            if self.restore:
                raise StrategyError(f"expected the package {self.package!r}, came none: {self.restore}")
            return {}
        from pkgutil import iter_modules

        modules = iter_modules(import_module(self.package).__path__)
        return {m.name: f"{self.package}.{m.name}" for m in modules if not m.ispkg and not m.name.startswith("_")}

    def _plugins(self) -> tuple[EntryPoint, ...]:
        return tuple(entry_points(group=self.package))

    def _refuse_two(self, name: str, builtin: str | None, points: list[EntryPoint]) -> None:
        claims = ([f"the built-in {builtin}"] if builtin else []) + [_describe(point) for point in points]
        if len(claims) > 1:
            raise StrategyError(
                f"expected one {self.word} called {name!r}, came {' and '.join(claims)}; uninstall or rename the plugin"
            )

    def _load_plugin(self, point: EntryPoint) -> T:
        try:
            found = point.load()
        except Exception as error:
            raise StrategyError(
                f"{self.word} {point.name!r} of {_describe(point)} cannot be loaded: {type(error).__name__}: {error}; "
                "update or uninstall that plugin"
            ) from error
        return self._check(found, _describe(point))

    def _check(self, found: object, where: str) -> T:
        if found is None:
            raise StrategyError(f"expected {where} to be an object called {self.attribute}, came None")
        kind = self._class()
        if kind is not None and not isinstance(found, kind):
            raise StrategyError(f"expected {where} to be a {kind.__name__}, came {found!r:.60}; see {kind.__module__}")
        return cast(T, found)

    def _class(self) -> type | None:
        if not isinstance(self.kind, str):
            return self.kind
        module, _, name = self.kind.rpartition(".")
        return cast(type, getattr(import_module(module), name))


def suggestion(word: str, choices: Iterable[str]) -> str:
    """Give " (did you mean 'ties'?)" for the nearest of the choices, or an empty text when none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(choices), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def entry_points(group: str) -> Iterable[EntryPoint]:
    """Give the entry points of a group, as `importlib.metadata` does; far faster where no distribution names it."""
    if not any(_mentions(path, group.encode()) for path in sys.path):
        return ()
    from importlib import metadata

    return metadata.entry_points(group=group)


def _mentions(path: str, group: bytes) -> bool:
    try:
        found = [each.path for each in os.scandir(path or ".") if each.name.endswith((".dist-info", ".egg-info"))]
    except (FileNotFoundError, PermissionError):
        return False
    except NotADirectoryError:
        # An archive may hold distributions too.
        return True
    return any(group in text for text in map(_read_entry_points, found))


def _read_entry_points(folder: str) -> bytes:
    try:
        with open(os.path.join(folder, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123
            return file.read()
    except OSError:
        return b""


def _describe(point: EntryPoint) -> str:
    owner = f"distribution {point.dist.name!r}" if point.dist else "an unknown distribution"
    return f"the plugin {point.value!r} of {owner}"


_LOST_LINK = (
    "the link mergekit_speech/strategies -> ../strategies is lost; reinstall mergekit-speech, or in a checkout run "
    "`git config core.symlinks true && git checkout -- mergekit_speech/strategies`"
)
STRATEGIES: Registry[Strategy] = Registry("strategy", "mergekit_speech.strategies", "STRATEGY", Strategy, _LOST_LINK)
TASKS: Registry[Any] = Registry("task", "mergekit_speech.tasks", "TASK", "mergekit_speech.tasks.parts.task.Task")
CORPORA: Registry[Any] = Registry(
    "corpus", "mergekit_speech.speech.corpora", "CORPUS", "mergekit_speech.speech.corpora.parts.corpus.Corpus"
)
