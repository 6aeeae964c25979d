"""Inspections and the actions around them: commands of the server, actions of the button, self-test, test signal."""
