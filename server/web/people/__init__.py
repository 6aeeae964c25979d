"""Pages: accounts, the own account, invitations, and privacy."""
