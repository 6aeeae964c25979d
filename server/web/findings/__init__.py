"""Pages: findings and known emitters."""
