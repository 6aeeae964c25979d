"""How well the detectors tell cameras from the rest: the parts of tools/evaluate.py."""
