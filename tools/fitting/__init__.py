"""Parts of tools/fit.py: how the weights of the evidence are fitted."""
