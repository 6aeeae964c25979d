"""Inspections, from their start to the certificate."""
