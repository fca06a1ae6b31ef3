"""IEMOCAP: neutral, happy (with excited), angry and sad; each session is a fold, as in SUPERB."""

from __future__ import annotations

import re
from pathlib import Path

from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source

EMOTIONS = {"neu": "neutral", "hap": "happy", "exc": "happy", "ang": "angry", "sad": "sad"}
SESSIONS = range(1, 6)
TURN = re.compile(r"\[[\d. -]+\]\t(\S+)\t(\w+)\t")


def _er(source: Source) -> Folder:
    source = source.within("IEMOCAP_full_release")
    return Folder([entry for session in SESSIONS for entry in _session(source, session)])


def _session(source: Source, session: int) -> list[Entry]:
    folder = f"Session{session}"
    source.path(folder)
    entries = []
    for labels in source.files(f"{folder}/dialog/EmoEvaluation/Ses*.txt"):
        entries += _dialogue(source, labels, source.root / folder / "sentences/wav" / labels.stem, session)
    return entries


def _dialogue(source: Source, labels: Path, recordings: Path, session: int) -> list[Entry]:
    entries = []
    for line in source.lines(str(labels.relative_to(source.root))):
        if not line.text.startswith("["):
            continue
        found = TURN.match(line.text)
        if not found:
            raise line.fault("[START - END], a turn and its emotion between tabs")
        turn, emotion = found.groups()
        if emotion in EMOTIONS:
            # A dialogue's name tells who wears the sensors, a turn's who speaks.
            speaker = f"Ses{session:02}{turn.rpartition('_')[2][:1]}"
            fields = {"label": EMOTIONS[emotion], "fold": session, "speaker": speaker}
            entries.append(Entry(turn, recordings / f"{turn}.wav", "train", fields))
    return entries


CORPUS = Corpus(
    title="IEMOCAP",
    about="four emotions, five sessions as folds",
    licence="USC's, on request",
    size="12 GB",
    url="https://sail.usc.edu/iemocap/iemocap_release.htm",
    folders={"er": _er},
)
