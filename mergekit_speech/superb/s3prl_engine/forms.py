"""The tasks that s3prl has, by name."""

from __future__ import annotations

from collections.abc import Mapping

from mergekit_speech.errors import SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.superb.s3prl_engine.form import Form
from mergekit_speech.superb.s3prl_engine.transcripts import Characters, MarkedCharacters, Symbols
from mergekit_speech.superb.s3prl_engine.turns import Turns
from mergekit_speech.superb.s3prl_engine.utterances import LabelPerSlot, OneLabel
from mergekit_speech.superb.s3prl_engine.voices import MODULE, Trials
from mergekit_speech.tasks.parts.task import Task

FORMS: Mapping[str, Form] = {
    "pr": Symbols("asr.superb_pr", "SuperbPR", "per"),
    "asr": Characters("asr.superb_asr", "SuperbASR", "wer"),
    "ks": OneLabel("common.superb_ks", "SuperbKS", "accuracy"),
    "sid": OneLabel("common.superb_sid", "SuperbSID", "accuracy"),
    "ic": LabelPerSlot("common.superb_ic", "SuperbIC", "accuracy"),
    "sf": MarkedCharacters("asr.superb_sf", "SuperbSF", "slot_type_f1"),
    "er": OneLabel("common.superb_er", "SuperbER", "accuracy"),
    "asv": Trials(MODULE, "SuperbASV", None),
    "sd": Turns("diarization.superb_sd", "SuperbSD", "der"),
}


def form_of(task: Task) -> Form:
    """Finds the problem that a task is in s3prl.

    Raises:
        SettingsError: It is none.
    """
    if task.name not in FORMS:
        raise SettingsError(
            f"expected a task of SUPERB for --engine s3prl, one of {', '.join(FORMS)}, came {task.name!r}"
            f"{suggestion(task.name, FORMS)}: use --engine native"
        )
    return FORMS[task.name]
