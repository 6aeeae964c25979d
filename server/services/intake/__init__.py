"""What reports from sensors become in the database."""
