"""The processes that share a run: which one this is, its share of a batch, and what all of them know."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from mergekit_speech.errors import SettingsError

if TYPE_CHECKING:
    from accelerate import PartialState

T = TypeVar("T")
PATIENCE = timedelta(days=1)
"""How long a process waits for the others: the first one may read and write for hours."""
FSDP = "ACCELERATE_USE_FSDP"
REFUSED = ("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM")


@cache
def processes() -> PartialState:
    """This process among those that `torchrun` or `accelerate launch` started; the only one if neither did.

    Raises:
        SettingsError: The launcher was told to divide the work in a way that is not known here.
    """
    from accelerate import PartialState

    for name in REFUSED:
        if _asked(name):
            raise SettingsError(
                f"expected DDP or FSDP, came {name}={os.environ[name]!r}: launch with --multi_gpu or --use_fsdp instead"
            )
    patience: dict[str, Any] = {"timeout": PATIENCE} if launched() else {}
    return PartialState(cpu=on_cpu(), **patience)


def launched() -> bool:
    """Whether a launcher started this process."""
    return "LOCAL_RANK" in os.environ


def sharded() -> bool:
    """Whether the launcher asked for FSDP, as `accelerate launch --use_fsdp` does."""
    return launched() and _asked(FSDP)


def _asked(name: str) -> bool:
    return os.environ.get(name, "false").lower() in ("1", "true")


def on_cpu() -> bool:
    """Whether several processes share CPUs, which accelerate does only if it is told to."""
    import torch

    return launched() and not torch.cuda.is_available()


def first() -> bool:
    """Whether this process is the one that writes files and says what happens."""
    return not launched() or bool(processes().is_main_process)


def share(items: Sequence[T]) -> list[T]:
    """This process's items of those that all of them have; shares differ by one item at most, and may be empty."""
    return list(items[processes().process_index :: processes().num_processes]) if launched() else list(items)


def gathered(found: Sequence[T]) -> list[T]:
    """What all processes found, process by process, the same everywhere."""
    if not launched():
        return list(found)
    from accelerate.utils import gather_object

    collected: list[T] = gather_object(list(found))
    return collected


def wait() -> None:
    """Waits until every process is here."""
    if launched():
        processes().wait_for_everyone()
