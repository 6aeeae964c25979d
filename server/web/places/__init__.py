"""Pages: restrooms and buildings, plans, maps, imports, and the public page."""
