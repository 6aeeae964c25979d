"""
The boards a sensor can be built on: one file each, with pins and what is fitted.

    board = load(settings["board"])      # raises UnknownBoard
    board.LED, board.FITTED, board.lan()

Every file has the same names. A pin is a GPIO number, None if there is nothing:

    NAME              as in the settings
    CPU_HZ            the clock to run at
    LED, LED_ON       a light, and the level that lights it
    BUTTON            to ground when pressed
    BUZZER            a passive buzzer, driven by PWM
    BATTERY           ADC input of the battery's divider; only ADC1 works beside Wi-Fi
    BATTERY_DIVIDER   how many times the battery's voltage is that of the pin
    OLED              (sda, scl) of an SSD1306
    NRF24             (sck, mosi, miso, csn, ce) of an nRF24L01+
    FITTED            which of these are there on a board as it is sold; the settings may say otherwise
    lan()             network.LAN ready to be switched on, None on a board without Ethernet
"""

NAMES = ("esp32_devkit", "esp32_s3", "esp32_c3_mini", "esp32_ethernet")


class UnknownBoard(Exception):
    """No file describes this board."""


def load(name: str):
    """Return the board's module. Raises UnknownBoard."""
    if name not in NAMES:
        raise UnknownBoard("board should be one of %s" % ", ".join(NAMES))
    return __import__("firmware.boards." + name, None, None, (name,))
