"""What readers of corpora share."""
