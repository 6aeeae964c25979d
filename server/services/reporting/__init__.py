"""Half-year reports, exports, PDF and spreadsheets."""
