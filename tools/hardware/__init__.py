"""Boards on a serial port: what goes onto them, and an emulated one."""
