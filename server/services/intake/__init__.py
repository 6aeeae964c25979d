"""Store the reports of sensors and derive sweeps, findings and self-tests from them."""
