"""ER: emotion recognition. Manifest field `label`: the emotion; `fold`: the number of the clip's fold."""

from mergekit_speech.tasks.parts.classification import ACCURACY
from mergekit_speech.tasks.parts.folds import FoldedClassificationTask
from mergekit_speech.tasks.parts.heads import MeanPooledLinear
from mergekit_speech.tasks.parts.task import Budget, Metric

TASK = FoldedClassificationTask(
    name="er",
    title="emotion recognition",
    field="label",
    metrics=(ACCURACY, Metric("uar", "UAR", lower_is_better=False)),
    probe_head=MeanPooledLinear,
    tuning_head=MeanPooledLinear,
    probing=Budget(steps=30_000, learning_rate=1e-4, clips=4, accumulate=8, evaluate_every=1000),
    tuning=Budget(steps=30_000, learning_rate=1e-4, clips=4, accumulate=8, evaluate_every=1000),
)
