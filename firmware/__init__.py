"""The program of the sensor: radios, the journal in flash, the connection to the broker, the panel."""
