"""ESP32-S3-DevKitC-1; its own LED is a NeoPixel, so connect a plain one to GPIO 2."""

NAME = "esp32_s3"
CPU_HZ = 240_000_000
LED, LED_ON = 2, 1
BUTTON = 0  # BOOT
BUZZER = 14
BATTERY, BATTERY_DIVIDER = 1, 2
OLED = (8, 9)
NRF24 = (12, 11, 13, 10, 4)
FITTED = ("led", "button")
CHANNELS_5GHZ = RARE_5GHZ = ()


def lan():
    """Return None: the board has no Ethernet."""
