"""The toy corpus of the tests of probing."""

from tests.superb.corpus import corpus

__all__ = ["corpus"]
