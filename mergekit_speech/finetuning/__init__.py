"""Stable fine-tuning: an encoder and a task head become θ′."""
