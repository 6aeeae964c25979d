"""The station table: what each transmitter sends and receives, counted in bounded memory."""
