"""Official corpora as they lie on disk after download: one module a corpus, named as on the command line."""
