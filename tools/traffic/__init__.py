"""Traffic for the detectors: recorded, generated and played back."""
