"""Pre-training from unlabelled audio, HuBERT's way."""
