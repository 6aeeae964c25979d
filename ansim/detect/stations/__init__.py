"""What is counted of each transmitter."""
