"""ER: emotion recognition. Manifest field `label`: the emotion; `fold`: the number of the clip's fold.

Each fold is left out and tested in turn, the next one validates, and figures are the mean over folds: every seed trains
as many heads as there are folds. `msm bench --folds 1` tests the first fold alone. Without the field, the splits count.
SUPERB validates on a random fifth of the training clips; here validation speakers are not heard in training.

Fine-tuning leaves out one fold, the first by default. To judge what it gave by the other folds leaks labels: their
clips were learnt from. `msm bench` tells of it.
"""

from mergekit_speech.tasks.parts.classification import ACCURACY
from mergekit_speech.tasks.parts.folds import FoldedClassificationTask
from mergekit_speech.tasks.parts.heads import MeanPooledLinear
from mergekit_speech.tasks.parts.task import Budget, Metric

TASK = FoldedClassificationTask(
    name="er",
    title="emotion recognition",
    field="label",
    metrics=(ACCURACY, Metric("uar", "UAR", lower_is_better=False)),
    needs="field fold, or splits train, valid and test",
    probe_head=MeanPooledLinear,
    tuning_head=MeanPooledLinear,
    probing=Budget(steps=30_000, learning_rate=1e-4, clips=4, accumulate=8, evaluate_every=1000),
    tuning=Budget(steps=30_000, learning_rate=1e-4, clips=4, accumulate=8, evaluate_every=1000),
)
