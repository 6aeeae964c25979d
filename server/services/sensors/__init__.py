"""Sensors: enrolment, the fleet, health, commands, claim codes, roll-outs of firmware."""
