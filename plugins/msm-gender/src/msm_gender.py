"""Whether a woman or a man speaks. Manifest field `gender`, in the folder `gender`, else in that of ASR."""

from mergekit_speech.tasks.parts.classification import ACCURACY, ClassificationTask
from mergekit_speech.tasks.parts.heads import MeanPooledLinear
from mergekit_speech.tasks.parts.task import Budget, Metric

BUDGET = Budget(steps=5000, learning_rate=1e-4, clips=16, accumulate=1, evaluate_every=200)

TASK = ClassificationTask(
    name="gender",
    title="gender of the speaker",
    field="gender",
    metrics=(ACCURACY, Metric("uar", "UAR", lower_is_better=False)),
    probe_head=MeanPooledLinear,
    tuning_head=MeanPooledLinear,
    probing=BUDGET,
    tuning=BUDGET,
    folders=("gender", "asr"),
    balanced=True,
)
