"""Recorded and generated vectors of the detectors, and what makes the generated ones."""
