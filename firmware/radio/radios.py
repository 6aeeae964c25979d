"""
The radios of this sensor, as far as they are fitted, answer and may be used.

    radios = open_radios(wlan, board, fitted, crash_counter.sniff_level())

The module is unloaded after the start (maintenance/unload_modules.py).
"""

from collections import namedtuple

from ansim import messages
from firmware.panel.panel import NRF24
from firmware.radio import ble, sniffer

# wlan          network.WLAN of the station interface, for scans
# sniffer       a radio.sniffer.Sniffer, None if this sensor must not sniff or cannot
# spectrum      a radio.nrf24.Nrf24 that has begun, None without one
# capabilities  list as in messages.CAPABILITIES
Radios = namedtuple("Radios", ("wlan", "sniffer", "spectrum", "capabilities"))


def open_radios(wlan, board, fitted: list, sniff_level: int) -> Radios:
    """
    Return the Radios.

    board        a module of firmware/boards
    fitted       names of the fitted parts; an nRF24 that does not answer is removed
    sniff_level  what the sniffer may do after the crashes so far, see CrashCounter.sniff_level()
    """
    capabilities = [messages.SCAN]
    receiver = None
    if sniffer.is_available() and sniff_level:
        capabilities.append(messages.SNIFF if sniff_level == 2 else messages.SNIFF_MANAGEMENT)
        receiver = sniffer.Sniffer(wlan, sniffer.ALL_KINDS if sniff_level == 2 else sniffer.MANAGEMENT_ONLY)
    if ble.is_available():
        capabilities.append(messages.BLE)
    spectrum = _open_nrf24(board, fitted)
    if spectrum:
        capabilities.append(messages.NRF24)
    return Radios(wlan, receiver, spectrum, capabilities)


def _open_nrf24(board, fitted):
    """Return a radio.nrf24.Nrf24, None if none is fitted or it does not answer."""
    if NRF24 not in fitted:
        return None
    from firmware.radio.nrf24 import Nrf24

    radio = Nrf24(board.NRF24)
    try:
        radio.begin()
    except OSError as error:
        print("nrf24:", error)
        fitted.remove(NRF24)
        return None
    return radio
