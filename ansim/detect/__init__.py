"""One file per detector; engine.py shows every observation to all of them."""
