"""How the weights of the evidence are worked out: the parts of tools/fit.py."""
