"""Recorded and generated test vectors of the detectors, and the scripts that generate them."""
