"""Pages: sensors, claim codes and new versions."""
