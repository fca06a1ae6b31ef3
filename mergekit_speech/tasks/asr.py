"""ASR: speech recognition by characters. Manifest field `text`."""

from functools import partial

from mergekit_speech.tasks.parts.ctc import CtcTask, text_errors
from mergekit_speech.tasks.parts.heads import Recurrent
from mergekit_speech.tasks.parts.task import Budget, Metric

TASK = CtcTask(
    name="asr",
    title="speech recognition",
    field="text",
    metrics=(Metric("wer", "WER", lower_is_better=True), Metric("cer", "CER", lower_is_better=True)),
    probe_head=partial(Recurrent, project=1024, layers=2, hidden=1024, dropout=0.2),
    tuning_head=partial(Recurrent, project=256, layers=3, hidden=256, dropout=0.2),
    probing=Budget(steps=200_000, learning_rate=1e-4, clips=32, accumulate=1, evaluate_every=2000),
    tuning=Budget(steps=50_000, learning_rate=1e-4, clips=16, accumulate=1, evaluate_every=2000),
    count=text_errors,
    rates={"wer": ("word_errors", "words"), "cer": ("character_errors", "characters")},
)
