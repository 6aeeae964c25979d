"""Reports in flash until the server has stored them."""
