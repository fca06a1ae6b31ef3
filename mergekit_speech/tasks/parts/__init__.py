"""What tasks are made of: the contract, heads, labels, losses and metrics."""
