"""Numeric kernels, one file an op: `<op>_plain` is the reference, `<op>` picks the implementation for its arrays."""
