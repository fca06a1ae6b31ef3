"""KS: keyword spotting. Manifest field `label`: the word, or a class for silence and for other words."""

from mergekit_speech.tasks.parts.classification import ACCURACY, ClassificationTask
from mergekit_speech.tasks.parts.heads import MeanPooledLinear
from mergekit_speech.tasks.parts.task import Budget

TASK = ClassificationTask(
    name="ks",
    title="keyword spotting",
    field="label",
    metrics=(ACCURACY,),
    probe_head=MeanPooledLinear,
    tuning_head=MeanPooledLinear,
    probing=Budget(steps=200_000, learning_rate=1e-4, clips=32, accumulate=1, evaluate_every=5000),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=32, accumulate=1, evaluate_every=2000),
    gain=-3.0,
    balanced=True,
)
