"""Merge speech encoders in weight space, fine-tune them stably, and measure what that bought."""

__version__ = "0.1.0"
