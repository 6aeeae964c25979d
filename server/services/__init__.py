"""
The services: plain functions with all rules. Views, the ingest process and commands only translate for them.

Each takes the database session first and never commits; the caller's session.begin() does.
"""
