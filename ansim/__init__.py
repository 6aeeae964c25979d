"""
Code that sensors and server share: frame headers, messages, settings, detectors and signature tables.

Every file here runs unchanged on MicroPython and on CPython: no dataclasses, typing,
enum, functools or logging, and no import of firmware/, server/ or tools/.
"""

VERSION = "0.1.0"
