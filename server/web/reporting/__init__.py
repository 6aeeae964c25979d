"""Pages: half-year reports."""
