"""Inspections, and what a person or the server asks the sensor to do."""
