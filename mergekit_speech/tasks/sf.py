"""SF: slot filling by characters. Manifest field `phrases`: a list of `[words, slot]`, slot null between slots.

Where clips lack the field but have `raw_slots`, an object of words by slot, its members are the phrases in their order:
such data do not say what is spoken between slots, nor in which order slots are spoken.

Probed as SUPERB does: characters, and a mark before and behind the words of a slot, learnt by CTC with the head of ASR.
Slot-type F1 is the mean over clips of the F1 of the sets of slots; slot-value CER compares a true value with the most
alike one that was found for its slot, or with nothing.
"""

from functools import partial

from mergekit_speech.tasks.parts.heads import Recurrent
from mergekit_speech.tasks.parts.slot_filling import SlotFillingTask, slot_errors
from mergekit_speech.tasks.parts.task import Budget, Metric

TASK = SlotFillingTask(
    name="sf",
    title="slot filling",
    field="phrases",
    metrics=(
        Metric("slot_type_f1", "slot-type F1", lower_is_better=False),
        Metric("slot_value_cer", "slot-value CER", lower_is_better=True),
    ),
    probe_head=partial(Recurrent, project=1024, layers=2, hidden=1024, dropout=0.2),
    tuning_head=partial(Recurrent, project=256, layers=3, hidden=256, dropout=0.2),
    probing=Budget(steps=200_000, learning_rate=1e-4, clips=32, accumulate=1, evaluate_every=2000),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=16, accumulate=1, evaluate_every=2000),
    count=slot_errors,
    rates={"slot_type_f1": ("type_f1", "clips"), "slot_value_cer": ("value_errors", "value_characters")},
    folders=("sf", "slu"),
    masked=True,
)
