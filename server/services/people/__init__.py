"""Accounts, rights and places, invitations, second factor, tokens, and what is known about a person."""
