"""The toy corpus of fine-tuning."""

from tests.finetuning.conftest import toy

__all__ = ["toy"]
