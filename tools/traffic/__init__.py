"""Recorded and generated traffic, and its playback to the detectors."""
