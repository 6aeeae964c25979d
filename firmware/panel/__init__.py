"""The panel: signal.py is the light and the buzzer, the other parts are loaded only where they are fitted."""
