"""Weights on disk, as bytes: headers, files, folders and digests. Knows no strategies and never imports torch."""
