"""SUPERB's own protocol: s3prl's problems, trained on what this toolkit reads, in a process of their own."""
