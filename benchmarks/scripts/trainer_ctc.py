"""Fine-tune with a plain transformers Trainer, and print how far it was after each step.

`trainer_ctc.py MODEL CLIPS BATCH STEPS PRECISION SEED`: MODEL is a folder with a HubertForCTC; CLIPS a JSON file with a
list of `{"path", "labels"}`; prints a JSON list of `[seconds since the start, seconds of audio heard]`, one a step.
"""

import json
import sys
import time
from pathlib import Path

import soundfile
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import HubertForCTC, Trainer, TrainerCallback, TrainingArguments

model_folder, clips_file, batch, steps, precision, seed = sys.argv[1:]
RATE = 16_000
marks: list[list[float]] = []
heard = 0.0


class Recordings(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """The clips, decoded when they are asked for."""

    def __init__(self) -> None:
        self.clips = json.loads(Path(clips_file).read_text(encoding="utf-8"))

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        samples, _ = soundfile.read(self.clips[place]["path"], dtype="float32")
        return {"audio": torch.from_numpy(samples), "labels": torch.tensor(self.clips[place]["labels"])}


def collate(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Pad audio with zeros, and labels with what the loss passes over."""
    global heard
    heard += sum(len(item["audio"]) for item in items) / RATE
    audio = pad_sequence([item["audio"] for item in items], batch_first=True)
    held = pad_sequence([torch.ones(len(item["audio"]), dtype=torch.long) for item in items], batch_first=True)
    labels = pad_sequence([item["labels"] for item in items], batch_first=True, padding_value=-100)
    return {"input_values": audio, "attention_mask": held, "labels": labels}


class Marks(TrainerCallback):
    """Note the time after each step."""

    def on_step_end(self, *_: object, **__: object) -> None:
        """See `TrainerCallback.on_step_end`."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        marks.append([time.perf_counter() - started, heard])


model = HubertForCTC.from_pretrained(model_folder)
model.freeze_feature_encoder()
arguments = TrainingArguments(
    output_dir=f"{clips_file}.trainer",
    per_device_train_batch_size=int(batch),
    max_steps=int(steps),
    learning_rate=1e-4,
    max_grad_norm=1.0,
    bf16=precision == "bf16",
    use_cpu=not torch.cuda.is_available(),
    save_strategy="no",
    logging_strategy="no",
    report_to=[],
    disable_tqdm=True,
    remove_unused_columns=False,
    seed=int(seed),
)
trainer = Trainer(model, arguments, data_collator=collate, train_dataset=Recordings(), callbacks=[Marks()])
started = time.perf_counter()
trainer.train()
print(json.dumps(marks))
