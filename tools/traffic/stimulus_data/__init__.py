"""Makes tests/data/stimulus_encoder.json: real encoders' traffic with movement at known times; see make.py."""
