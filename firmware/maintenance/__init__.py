"""Crash counter, settings, updates and wipe."""
