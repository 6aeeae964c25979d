"""Health, settings, updates and wipe: what keeps a sensor working."""
