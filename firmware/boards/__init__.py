"""
The supported boards: one module each, with its pins and fitted parts.

    board = load(settings["board"])      # raises UnknownBoard
    board.LED, board.FITTED, board.lan()

All modules define the same names. A pin is a GPIO number, None if it does not exist:

    NAME              as in the settings
    CPU_HZ            clock frequency
    LED, LED_ON       a light, and the level that switches it on
    BUTTON            connected to ground when pressed
    BUZZER            a passive buzzer, driven by PWM
    BATTERY           ADC input of the battery's voltage divider; only ADC1 works while Wi-Fi is on
    BATTERY_DIVIDER   the battery's voltage divided by the pin's
    OLED              (sda, scl) of an SSD1306
    NRF24             (sck, mosi, miso, csn, ce) of an nRF24L01+
    FITTED            parts that the board is sold with; the settings may name others
    CHANNELS_5GHZ     channels of 5 GHz that it hears, in the order of the cycle; () on most boards
    RARE_5GHZ         further ones, one of which is listened to in each cycle
    lan()             network.LAN, not switched on yet; None on a board without Ethernet
"""

NAMES = ("esp32_devkit", "esp32_s3", "esp32_c3_mini", "esp32_c5", "esp32_ethernet")


class UnknownBoard(Exception):
    """No module describes this board."""


def channels_of(board, settings: dict) -> tuple:
    """
    Return ([channel of each cycle, ...], [channel of which one is added to each cycle, ...]) for checked settings.

    Raises UnknownBoard if the settings name channels of 5 GHz that the board does not hear.
    """
    chosen = settings["channels_5ghz"]
    unknown = [channel for channel in chosen if channel not in board.CHANNELS_5GHZ + board.RARE_5GHZ]
    if unknown:
        raise UnknownBoard("board %s does not hear channels_5ghz %s" % (board.NAME, unknown))
    always = [channel for channel in board.CHANNELS_5GHZ if not chosen or channel in chosen]
    rare = [channel for channel in board.RARE_5GHZ if not chosen or channel in chosen]
    return settings["channels"] + always, rare


def load(name: str):
    """Return the module of a board. Raises UnknownBoard."""
    if name not in NAMES:
        raise UnknownBoard("board should be one of %s" % ", ".join(NAMES))
    return __import__("firmware.boards." + name, None, None, (name,))
