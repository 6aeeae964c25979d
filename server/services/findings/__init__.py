"""Findings as people judge them, known emitters, false alarms."""
