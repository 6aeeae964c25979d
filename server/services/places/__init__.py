"""Organisations, buildings and restrooms, their plans, routes and maps, and imports of them."""
