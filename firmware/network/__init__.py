"""The connection to the server: uplink, MQTT, session, clock, commands."""
