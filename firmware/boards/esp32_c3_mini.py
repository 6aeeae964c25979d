"""ESP32-C3 SuperMini and the boards like it: one core, no native code beside rv32imc, the smallest memory."""

NAME = "esp32_c3_mini"
CPU_HZ = 160_000_000
LED, LED_ON = 8, 0
BUTTON = 9  # BOOT
BUZZER = 1
BATTERY, BATTERY_DIVIDER = 3, 2
OLED = (20, 21)  # the UART's pins are free, because the console is on USB
NRF24 = (4, 6, 5, 7, 10)
FITTED = ("led", "button")


def lan():
    """None: no Ethernet."""
