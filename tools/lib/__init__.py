"""What the tools share: errors, progress, processes, the virtual environment."""
