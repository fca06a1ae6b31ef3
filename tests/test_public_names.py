"""The names that `import mergekit_speech` offers."""

from __future__ import annotations

import ast
import inspect
import pkgutil

import pytest

import mergekit_speech
from tests.conftest import ROOT

MOST = 12


def test_there_are_at_most_a_dozen() -> None:
    assert len(mergekit_speech.__all__) <= MOST


@pytest.mark.parametrize("name", mergekit_speech.__all__)
def test_each_is_there_and_documented(name: str) -> None:
    found = getattr(mergekit_speech, name)
    assert name == "__version__" or inspect.getdoc(found)


def test_none_is_hidden_by_a_module_once_that_is_imported() -> None:
    modules = {module.name for module in pkgutil.iter_modules(mergekit_speech.__path__)}
    assert modules & set(mergekit_speech.__all__) == set()


def test_type_checkers_see_the_same_names_at_the_same_places() -> None:
    tree = ast.parse((ROOT / "mergekit_speech" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == mergekit_speech._PLACES
    assert {*seen, "__version__"} == set(mergekit_speech.__all__) == set(dir(mergekit_speech))


def test_unknown_name_lists_what_there_is() -> None:
    listed = ", ".join(mergekit_speech.__all__)
    with pytest.raises(AttributeError, match=rf"module 'mergekit_speech' has no attribute 'melt'; it has: {listed}"):
        mergekit_speech.melt  # noqa: B018
