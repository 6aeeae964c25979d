"""Light devices for tools/loadtest.py: real messages and signatures, without the firmware."""
