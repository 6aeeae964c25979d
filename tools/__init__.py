"""Programs for a laptop: prepare sensors, play traffic to the detectors, measure them, run and test the project."""
