"""Boards on a serial port: the files to install, and an emulated board."""
