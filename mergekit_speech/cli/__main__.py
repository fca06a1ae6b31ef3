"""`python -m mergekit_speech.cli`, for launchers that start modules."""

from mergekit_speech.cli import main

main(prog_name="msm")
