"""
ESP32-C5-DevKitC-1: hears 2.4 GHz and 5 GHz. Not tried; the pins are from Espressif's documentation.

Its own LED is a NeoPixel, so connect a plain one to GPIO 2. Channels 52 to 144 are shared with radar (DFS): an access
point must listen there for a minute before it sends, so cameras are rare. The sensor itself sends nothing there.
"""

NAME = "esp32_c5"
CPU_HZ = 240_000_000
LED, LED_ON = 2, 1
BUTTON = 28  # BOOT
BUZZER = 3
BATTERY, BATTERY_DIVIDER = 1, 2
OLED = (8, 9)
NRF24 = (6, 7, 4, 10, 5)
FITTED = ("led", "button")
CHANNELS_5GHZ = (36, 40, 44, 48, 149, 153, 157, 161, 165)  # UNII-1 and UNII-3
RARE_5GHZ = (52, 56, 60, 64, 100, 104, 108, 112, 116, 120, 124, 128, 132, 136, 140, 144)


def lan():
    """Return None: the board has no Ethernet."""
