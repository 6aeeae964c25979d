"""The radios: each file knows one of them and hands on what it heard. plan.py says whose turn it is."""
