"""Grids of merges, probed on tasks: what to try, where to compute it, and which point to pick."""
