"""What only the sensor needs: radios, the journal in flash, the way to the broker, the panel."""
