"""One module per radio, each of which hands on what it receives; plan.py decides which radio is used when."""
