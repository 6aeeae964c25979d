"""The panel: light and buzzer (signal.py), and the parts that are imported only where they are fitted."""
