"""Every error that the toolkit raises on purpose, with the exit code that the command line gives it.

A message is one line that says what is wrong, where, and what to do next. The command line prints it
without a traceback; the Python API raises it as it is.
"""

from __future__ import annotations


class MsmError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        exit_code: Process exit status: 2 for usage, settings and recipes, 3 for data and checkpoints, 1 else.
    """

    exit_code: int = 1


class SettingsError(MsmError):
    """A setting has a value that makes no sense: out of range, unknown, or at odds with another one."""

    exit_code = 2


class RecipeError(MsmError):
    """A merge recipe is not well formed; the message lists every fault with its line."""

    exit_code = 2


class StrategyError(MsmError):
    """A strategy or task is unknown, cannot be loaded, or got a parameter that it does not accept."""

    exit_code = 2


class PairingError(MsmError):
    """Base and tuned encoders do not hold the same parameters; the message lists every difference."""

    exit_code = 3


class ShardError(MsmError):
    """A file of weights is missing, truncated or malformed, or holds values that are not finite."""

    exit_code = 3


class CheckpointError(MsmError):
    """A directory is not an encoder checkpoint that this toolkit can build."""

    exit_code = 3


class DataError(MsmError):
    """A corpus, manifest or clip cannot be used as asked."""

    exit_code = 3


class EngineError(MsmError):
    """Another program that does the work, such as s3prl, failed at it."""


class OutputError(MsmError):
    """The result cannot be written: the path is taken, or the disk is full."""


class Interrupted(MsmError):
    """The user stopped a run; what it takes to continue is on disk."""
