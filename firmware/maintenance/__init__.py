"""Health, settings, updates and wipe."""
