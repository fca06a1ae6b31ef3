"""Reading workflows: what they say, and every fault at once with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import RecipeError
from mergekit_speech.workflows.read import read_workflow, references

GOOD = """\
data: speech
steps:
  - name: pr
    finetune: {encoder: base, task: pr, steps: 400, lr: 1e-3}
  - name: pr25
    merge: {base: base, tuned: pr, alpha: 0.25}
  - name: report
    bench: {encoders: [base, pr25], tasks: [pr, sid], steps: {pr: 10, sid: 20}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "workflow.yaml"
    path.write_text(text)
    return path


def test_steps_keep_their_order_and_say_what_they_read(tmp_path: Path) -> None:
    workflow = read_workflow(write(tmp_path, GOOD))
    assert [step.name for step in workflow.steps] == ["pr", "pr25", "report"]
    assert [references(step) for step in workflow.steps] == [["base"], ["base", "pr"], ["base", "pr25"]]
    assert workflow.steps[0].finetune is not None
    assert workflow.steps[0].finetune.lr == 1e-3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("task: pr,", "tusk: pr,", "line 4: unknown key 'tusk' (did you mean 'task'?); expected one of encoder, data"),
        ("name: pr25", "name: pr", "line 5: expected the name 'pr' once, came again"),
        ("tuned: pr,", "tuned: report,", "line 5: expected 'report' among the earlier steps, came 'pr25' before it is"),
        ("merge:", "marge:", "line 6: unknown key 'marge' (did you mean 'merge'?)"),
        ("data: speech\n", "", "line 2: expected data, at the top, in the step 'pr' or as --data, came none"),
        ("task: pr, ", "", "line 3: expected task or unlabelled in the step 'pr', came both or neither"),
        ("task: pr,", "task: pr, lora: 2, dora: 2,", "line 3: expected lora or dora in the step 'pr', came both"),
        (
            "task: pr,",
            "task: pr, clusters: 9,",
            "line 3: expected unlabelled beside clusters in the step 'pr', came none",
        ),
        ("task: pr,", "task: pr, l2_layers: [1],", "line 3: expected l2 beside l2_layers in the step 'pr', came none"),
        ("task: pr,", "task: pr, adapter_alpha: 2,", "line 3: expected lora or dora beside adapter_alpha in the step"),
        (
            "task: pr,",
            "task: [pr], temperature: 2.0,",
            "line 3: expected several tasks beside temperature in the step 'pr', came ['pr']",
        ),
        ("alpha: 0.25", "alpha: much", "line 6: alpha: "),
        ("steps:\n", "steps: []\nmore:\n", "line 2: steps: "),
        (
            "    merge: {base: base, tuned: pr, alpha: 0.25}\n",
            "",
            "expected exactly one of finetune, merge, bench, came none",
        ),
    ],
)
def test_faults_are_told_with_their_lines(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError) as raised:
        read_workflow(write(tmp_path, GOOD.replace(old, new, 1)))
    assert message in str(raised.value)


def test_changes_stand_in_place_of_what_the_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    workflow = read_workflow(path, changes={"pr.steps": 7, "report.tasks": ["ks"], "pr25.alpha": 0.5})
    parts = [step.part.model_dump(exclude_defaults=True) for step in workflow.steps]
    assert parts == [
        {"encoder": "base", "task": "pr", "steps": 7, "lr": 1e-3},
        {"base": "base", "tuned": "pr", "alpha": 0.5},
        {"encoders": ["base", "pr25"], "tasks": ["ks"], "steps": {"pr": 10, "sid": 20}},
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prr.steps": 7}, "STEP.KEY of one of the steps pr, pr25, report, came 'prr.steps' (did you mean 'pr'?)"),
        ({"steps": 7}, "expected to change STEP.KEY of one of the steps pr, pr25, report, came 'steps'"),
        ({"pr.stps": 7}, "line 4: unknown key 'stps' (did you mean 'steps'?)"),
        ({"pr.steps": "many"}, "line 4: steps: input should be a valid integer, came 'many'"),
    ],
)
def test_changes_are_checked_as_the_file_is(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as raised:
        read_workflow(write(tmp_path, GOOD), changes=changes)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["3", "steps: 3", "steps: [3]", "steps: [{name: pr}]"])
def test_changes_of_what_is_no_workflow(text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"line 1: |expected to change STEP\.KEY"):
        read_workflow(write(tmp_path, text), data="speech", changes={"pr.steps": 7})


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("task: pr,", "tusk: pr,").replace("tasks: [pr, sid]", "tasks: []")
    with pytest.raises(RecipeError, match=r"line 4: unknown key 'tusk'.*; line 8: tasks: "):
        read_workflow(write(tmp_path, text))


def test_report_is_no_encoder(tmp_path: Path) -> None:
    text = GOOD + "  - name: late\n    merge: {base: base, tuned: report}\n"
    with pytest.raises(RecipeError, match="line 9: expected an encoder, came 'report', which is a report"):
        read_workflow(write(tmp_path, text))


def test_two_documents_and_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="expected one workflow, came 2 documents"):
        read_workflow(write(tmp_path, f"{GOOD}---\n{GOOD}"))
    with pytest.raises(RecipeError, match="line 1: expected data, steps and so on, came 3"):
        read_workflow(write(tmp_path, "3"))
