"""ESP32-C3 SuperMini and similar boards: one core, native code for rv32imc only, the smallest memory."""

NAME = "esp32_c3_mini"
CPU_HZ = 160_000_000
LED, LED_ON = 8, 0
BUTTON = 9  # BOOT
BUZZER = 1
BATTERY, BATTERY_DIVIDER = 3, 2
OLED = (0, 2)  # not 20 and 21: MicroPython's prompt listens on that UART too, and stray bytes would stop the program
NRF24 = (4, 6, 5, 7, 10)
FITTED = ("led", "button")
CHANNELS_5GHZ = RARE_5GHZ = ()


def lan():
    """Return None: the board has no Ethernet."""
