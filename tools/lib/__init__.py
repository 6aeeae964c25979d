"""What the tools share: error reports, command-line parts, progress bars, processes and the virtual environment."""
