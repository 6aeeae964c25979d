"""Pages: inspections and what belongs to them."""
