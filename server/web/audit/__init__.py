"""Pages: the log."""
