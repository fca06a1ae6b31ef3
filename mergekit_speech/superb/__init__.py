"""Frozen encoders judged on SUPERB tasks: probes, the SUPERB score, deltas against a base."""
