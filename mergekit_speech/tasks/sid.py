"""SID: speaker identification. Manifest field `label`: the speaker."""

from mergekit_speech.tasks.parts.classification import ACCURACY, ClassificationTask
from mergekit_speech.tasks.parts.heads import MeanPooledLinear
from mergekit_speech.tasks.parts.task import Budget

TASK = ClassificationTask(
    name="sid",
    title="speaker identification",
    field="label",
    metrics=(ACCURACY,),
    probe_head=MeanPooledLinear,
    tuning_head=MeanPooledLinear,
    probing=Budget(steps=200_000, learning_rate=1e-4, clips=8, accumulate=4, evaluate_every=5000),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=8, accumulate=4, evaluate_every=2000),
    apart=False,
    crop=8.0,
)
