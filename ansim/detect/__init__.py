"""The detectors, one file each; engine.py passes every observation to all of them."""
