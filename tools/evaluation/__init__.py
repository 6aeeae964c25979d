"""Parts of tools/evaluate.py: how well the detectors distinguish cameras from other devices."""
