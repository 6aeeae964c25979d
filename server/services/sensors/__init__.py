"""Sensors: enrolment, state, commands, new versions."""
