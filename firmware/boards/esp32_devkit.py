"""ESP32-DevKitC V4 and similar boards (30 or 38 pins, USB)."""

NAME = "esp32_devkit"
CPU_HZ = 240_000_000
LED, LED_ON = 2, 1  # the blue LED of most copies; Espressif's own board has none, so connect one
BUTTON = 0  # BOOT
BUZZER = 25
BATTERY, BATTERY_DIVIDER = 34, 2
OLED = (21, 22)
NRF24 = (18, 23, 19, 5, 4)
FITTED = ("led", "button")
CHANNELS_5GHZ = RARE_5GHZ = ()


def lan():
    """Return None: the board has no Ethernet."""
