"""Findings, dispositions, known emitters, false-alarm rates, pseudonyms."""
