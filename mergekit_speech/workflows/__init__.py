"""Whole experiments in one file: fine-tune, merge, bench, in the order that is written down."""
