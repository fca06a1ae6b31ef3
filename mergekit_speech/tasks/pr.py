"""PR: phoneme recognition. Manifest field `phones`: a list of phones."""

from mergekit_speech.tasks.parts.ctc import CtcTask, symbol_errors
from mergekit_speech.tasks.parts.heads import FrameLinear
from mergekit_speech.tasks.parts.task import Budget, Metric

TASK = CtcTask(
    name="pr",
    title="phoneme recognition",
    field="phones",
    metrics=(Metric("per", "PER", lower_is_better=True),),
    probe_head=FrameLinear,
    tuning_head=FrameLinear,
    probing=Budget(steps=100_000, learning_rate=1e-2, clips=16, accumulate=2, evaluate_every=1000),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=16, accumulate=1, evaluate_every=2000),
    count=symbol_errors,
    rates={"per": ("errors", "symbols")},
)
