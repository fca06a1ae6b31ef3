"""Tasks whose answer is one value for each of several slots, such as an action, its object and its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows, counted_once, ratios
from mergekit_speech.tasks.parts.task import Task

JOIN = "="


@dataclass(frozen=True, kw_only=True)
class SlotTask(Task):
    """A task of several labels a clip: utterance-level head, a softmax and a cross-entropy for each slot.

    The answer to a clip is its values by slot; a label is `slot=value`. Rows: `whole` (1 where all values are right),
    `clips` (1), `right` and `slots` (numbers of values).
    """

    def values(self, clip: Clip) -> Mapping[str, str]:
        """The value of each slot.

        Raises:
            DataError: The manifest's field is not an object of texts.
        """
        found = self.field_of(clip)
        if isinstance(found, dict) and found and all(JOIN not in name and _is_value(found[name]) for name in found):
            return found
        raise DataError(
            f"{clip.source}: {self.field} must be an object with a text for each slot, whose name holds no {JOIN!r},"
            f" got {found!r:.60}"
        )

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`.

        Raises:
            DataError: Two clips name different slots.
        """
        first: Mapping[str, list[int]] = {slot: [] for slot in self.values(train[0])}
        for clip in train:
            _refuse_other_slots(clip, self.values(clip), first)
        return Labels.of(name for clip in train for name in self._names(clip))

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """See `Task.targets`: the number of each label's slot, and 1 for the labels of the clip.

        int64, shape `(2, labels)`: the loss must know which labels exclude each other.

        Raises:
            DataError: A clip has other slots than the training split, or a value that it does not know.
        """
        slots = _slots(labels)
        numbers = [number for number, places in enumerate(slots.values()) for _ in places]
        targets = []
        for clip in clips:
            _refuse_other_slots(clip, self.values(clip), slots)
            target = torch.tensor([numbers, [0] * len(labels)])
            target[1, labels.indices(self._names(clip), clip)] = 1
            targets.append(target)
        return targets

    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`: the sum over slots; `output` has shape `(batch, labels)`."""
        stacked = torch.stack(list(targets)).to(output.device)
        slot, chosen = stacked[0, 0], stacked[:, 1]
        return torch.stack(
            [
                functional.cross_entropy(output[:, slot == number].float(), chosen[:, slot == number].argmax(dim=1))
                for number in range(int(slot.max()) + 1)
            ]
        ).sum()

    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> Sequence[Mapping[str, str]]:
        """See `Task.decode`: the likeliest value of each slot."""
        answers: list[dict[str, str]] = [{} for _ in output]
        for name, places in _slots(labels).items():
            for answer, best in zip(answers, output[:, places].argmax(dim=1).tolist(), strict=True):
                answer[name] = labels.names[places[best]].partition(JOIN)[2]
        return answers

    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """See `Task.measure`."""
        pairs = [(answers[clip.id], self.values(clip)) for clip in clips]
        right = np.array([sum(said.get(slot) == value for slot, value in truth.items()) for said, truth in pairs])
        slots = np.array([len(truth) for _, truth in pairs])
        whole = np.where(right == slots, 1, 0)
        return {"whole": whole, "clips": np.ones_like(slots), "right": right, "slots": slots}

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`: the share of clips of which every value is right, and the share of values."""
        return counted_once(self.draws, rows)

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`."""
        return ratios(rows, counts, {"acc": ("whole", "clips"), "slot_acc": ("right", "slots")})

    def _names(self, clip: Clip) -> list[str]:
        return [f"{slot}{JOIN}{value}" for slot, value in self.values(clip).items()]


def _is_value(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _slots(labels: Labels) -> Mapping[str, list[int]]:
    """Places of each slot's labels, which stand together, since labels are sorted."""
    slots: dict[str, list[int]] = {}
    for place, name in enumerate(labels.names):
        slots.setdefault(name.partition(JOIN)[0], []).append(place)
    return slots


def _refuse_other_slots(clip: Clip, values: Mapping[str, str], slots: Mapping[str, list[int]]) -> None:
    if values.keys() != slots.keys():
        raise DataError(
            f"{clip.source}: expected a value for each of the slots {', '.join(sorted(slots))}, as in the first"
            f" training clip, came {', '.join(sorted(values))}: name all of them in every clip"
        )
