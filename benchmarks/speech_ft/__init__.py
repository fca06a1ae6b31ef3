"""The experiment that tests Speech-FT's claim on real speech: `python -m benchmarks.speech_ft --help`."""
