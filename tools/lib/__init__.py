"""Shared parts of the tools: errors, command-line parts, progress bars, processes and the virtual environment."""
