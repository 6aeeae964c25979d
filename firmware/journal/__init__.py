"""The journal: reports in flash until the server has stored them."""
