"""Manifests of what Lhotse wrote: Shar folders, cuts, recordings and supervisions."""
