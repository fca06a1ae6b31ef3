"""The toy corpus of fine-tuning, and its encoder with a codebook."""

from tests.finetuning.conftest import toy, with_codebook

__all__ = ["toy", "with_codebook"]
