"""Inspections and what interrupts them: commands of the server, actions of the button, self-test, test signal."""
