"""Slot filling: sequences with marks, what is found between them, and figures by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergekit_speech.errors import DataError
from mergekit_speech.registry import TASKS
from mergekit_speech.tasks.parts.slot_filling import SlotFillingTask, slot_errors, slot_values
from tests.speech.corpus import make_clip, write_manifest


def sf() -> SlotFillingTask:
    task = TASKS.load("sf")
    assert isinstance(task, SlotFillingTask)
    return task


SF = sf()


def symbols(text: str) -> list[str]:
    """Symbols of a text in which marks stand in angle brackets."""
    parts = text.replace(">", "<").split("<")
    return [symbol for place, part in enumerate(parts) for symbol in ([part] if place % 2 else part)]


def test_slots_are_marked_and_the_rest_is_plain() -> None:
    clip = make_clip(phrases=[("go to", None), ("x", "place"), ("now", None)])
    assert SF.symbols(clip) == symbols("go to <B-place>x<E-place> now")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("go <B-a>x y<E-a> z", {"a": ["x y"]}),
        ("<B-a>x<E-a> <B-b>y<E-b> <B-a>z<E-a>", {"a": ["x", "z"], "b": ["y"]}),
        ("<B-a>x", {}),
        ("x<E-a>", {}),
        ("<B-a><E-a>", {}),
        ("<B-a>x<B-b>y<E-a>z<E-b>", {"a": ["xy"]}),
        ("<B-a>x<E-ab>y<E-a>", {"a": ["xy"]}),
        ("<B-a>x <B-b>y<E-b>", {"b": ["y"]}),
        ("B-a x E-a", {}),
        ("", {}),
    ],
)
def test_values_stand_between_marks_of_one_slot(text: str, values: dict[str, list[str]]) -> None:
    assert slot_values(symbols(text)) == values


PHRASE = st.tuples(st.text("ab c", min_size=1).filter(str.strip), st.sampled_from(["a", "ab", "b", None]))


@settings(max_examples=60, deadline=None)
@given(st.lists(PHRASE, min_size=1))
def test_values_of_a_sequence_are_those_it_was_made_of(phrases: list[tuple[str, str | None]]) -> None:
    expected: dict[str, list[str]] = {}
    for words, slot in phrases:
        if slot is not None:
            expected.setdefault(slot, []).append(" ".join(words.split()))
    assert slot_values(SF.symbols(make_clip(phrases=phrases))) == expected


def test_errors_by_hand() -> None:
    truth = symbols("<B-a>cat<E-a> <B-b>dog<E-b>")
    # Slot a is found, b is not, c is invented; 1 edit in "cat", 3 in "dog".
    assert slot_errors(symbols("<B-a>cut<E-a> <B-c>dog<E-c>"), truth) == {
        "type_f1": 0.5,
        "clips": 1,
        "value_errors": 4,
        "value_characters": 6,
    }


def test_a_value_is_compared_with_the_most_alike() -> None:
    said = symbols("<B-a>xxx<E-a> <B-a>cap<E-a>")
    assert slot_errors(said, symbols("<B-a>cat<E-a>"))["value_errors"] == 1


def test_no_slots_on_either_side_is_right() -> None:
    assert slot_errors(symbols("go"), symbols("stop"))["type_f1"] == 1.0
    assert slot_errors(symbols("<B-a>x<E-a>"), symbols("stop"))["type_f1"] == 0.0


def test_figures_are_a_mean_over_clips_and_a_rate_over_characters() -> None:
    clips = [
        make_clip("1", phrases=[("cat", "a")]),
        make_clip("2", phrases=[("stop", None)]),
        make_clip("3", phrases=[("horse", "b")]),
    ]
    answers = {"1": symbols("<B-a>cat<E-a>"), "2": symbols("stop"), "3": symbols("horse")}
    found = SF.figures(SF.measure(answers, clips))
    assert found == {"slot_type_f1": pytest.approx(2 / 3), "slot_value_cer": pytest.approx(5 / 8)}


def test_manifest_without_phrases_is_read_by_its_slots(tmp_path: Path) -> None:
    write_manifest(tmp_path, "slu", [{"raw_slots": {"size": "large", "drink": "iced mocha"}}])
    (clip,) = SF.clips(tmp_path)
    assert SF.symbols(clip) == symbols("<B-size>large<E-size> <B-drink>iced mocha<E-drink>")


def test_own_folder_comes_before_slu(tmp_path: Path) -> None:
    write_manifest(tmp_path, "slu", [{"raw_slots": {"a": "x"}}])
    write_manifest(tmp_path, "sf", [{"phrases": [["y", None]]}])
    assert SF.symbols(SF.clips(tmp_path)[0]) == ["y"]


@pytest.mark.parametrize("value", [None, [], "go", [["go"]], [["", "a"]], [["go", "a b"]], [["go", 3]], [["go", ""]]])
def test_field_of_another_kind(tmp_path: Path, value: object) -> None:
    path = write_manifest(tmp_path, "sf", [{"phrases": value}])
    with pytest.raises(DataError) as caught:
        SF.clips(tmp_path)
    assert str(caught.value) == (
        f"{path}:1: phrases must be a list of [words, slot], slot being a name without spaces or null, or raw_slots an"
        f" object of words by slot, got {value!r}"
    )
