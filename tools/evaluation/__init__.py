"""Parts of tools/evaluate.py: how well the detectors tell cameras from other devices."""
