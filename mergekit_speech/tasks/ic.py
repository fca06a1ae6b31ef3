"""IC: intent classification. Manifest field `slots`: an object with a text for each slot, the same slots in every clip.

Fluent Speech Commands has `action`, `object` and `location`. Probed as SUPERB does: a linear map, the mean over frames,
and a softmax for each slot; a clip is right when all of its slots are. The share of right slots is reported beside.
"""

from mergekit_speech.tasks.parts.classification import ACCURACY
from mergekit_speech.tasks.parts.heads import MeanPooledLinear
from mergekit_speech.tasks.parts.slots import SlotTask
from mergekit_speech.tasks.parts.task import Budget, Metric

TASK = SlotTask(
    name="ic",
    title="intent classification",
    field="slots",
    metrics=(ACCURACY, Metric("slot_acc", "slot accuracy", lower_is_better=False)),
    probe_head=MeanPooledLinear,
    tuning_head=MeanPooledLinear,
    probing=Budget(steps=200_000, learning_rate=1e-4, clips=32, accumulate=1, evaluate_every=5000),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=32, accumulate=1, evaluate_every=2000),
    folders=("ic", "slu"),
)
