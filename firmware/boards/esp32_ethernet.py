"""
Olimex ESP32-POE: power and uplink over one Ethernet cable, so the radio listens all the time.

The PHY at address 0 behaves as a LAN8720, is powered by GPIO 12 and gets its 50 MHz from
GPIO 17. Pins as Olimex lists them; not tried on the board by this project yet.
"""

NAME = "esp32_ethernet"
CPU_HZ = 240_000_000
LED, LED_ON = 2, 1  # none on the board; EXT1 has the pin
BUTTON = 34
BUZZER = 33
BATTERY, BATTERY_DIVIDER = 35, 2
OLED = (13, 16)
NRF24 = (14, 15, 36, 5, 4)
FITTED = ("button",)


def lan():
    """The wired port."""
    import network
    from machine import Pin

    # The type stubs know only the arguments that all ports share.
    of_this_port = {"mdc": Pin(23), "mdio": Pin(18), "power": Pin(12), "ref_clk": Pin(17), "ref_clk_mode": Pin.OUT}
    return network.LAN(0, phy_type=network.PHY_LAN8720, phy_addr=0, **of_this_port)  # pyright: ignore[reportCallIssue]
