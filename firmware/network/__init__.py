"""The way to the server: uplink, MQTT, session, clock, commands."""
