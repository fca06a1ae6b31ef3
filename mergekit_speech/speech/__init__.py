"""Corpora, clips and batches: how recordings on disk become tensors."""
