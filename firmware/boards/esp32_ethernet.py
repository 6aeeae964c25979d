"""
Olimex ESP32-POE: power and uplink over one Ethernet cable, so that the radio can listen all the time.

The PHY at address 0 is compatible with the LAN8720; GPIO 12 switches its power and GPIO 17 provides its 50 MHz clock.
The pins are from Olimex's documentation; not tried on the board by this project.

Erratum CLK-3.22 of the ESP32: while Wi-Fi is in use, its own clock (the APLL) is not accurate enough for the Ethernet
chip, and this sensor listens to Wi-Fi all the time. Expect lost packets or a link that goes down. A board whose
Ethernet chip has an oscillator of its own, or a W5500 on SPI, does not have this problem.
"""

NAME = "esp32_ethernet"
CPU_HZ = 240_000_000
LED, LED_ON = 2, 1  # the board has none; connect one to EXT1
BUTTON = 34
BUZZER = 33
BATTERY, BATTERY_DIVIDER = 35, 2
OLED = (13, 16)
NRF24 = (14, 15, 36, 5, 4)
FITTED = ("button",)
CHANNELS_5GHZ = RARE_5GHZ = ()


def lan():
    """Return the wired port."""
    import network
    from machine import Pin

    # Separate, because the type stubs lack the parameters of the ESP32's port.
    port_options = {"mdc": Pin(23), "mdio": Pin(18), "power": Pin(12), "ref_clk": Pin(17), "ref_clk_mode": Pin.OUT}
    return network.LAN(0, phy_type=network.PHY_LAN8720, phy_addr=0, **port_options)  # pyright: ignore[reportCallIssue]
