"""The one training loop, which fine-tuning, probing and pre-training share."""
