"""The panel's display on the real MicroPython, with a simulated SSD1306."""

import pytest

from tests.support.simulated_board import SILENCE, Board

DISPLAY = """
    import json, _simulation
    from collections import namedtuple
    from firmware.panel.panel import DisplayStatus
    from firmware.panel.screen import Screen

    class Panel:
        battery_percent, findings, reading, failed = 87, {}, None, []
        def covered_permille(self, channels):
            return 500

    screen = Screen((21, 22))
    panel = Panel()
    STATUS = DisplayStatus("hall-1", "Sweep", 192, [1, 6], True, 0, "press: end sweep")

    def letters():
        import framebuf
        known = {}
        for code in range(33, 127):
            glyph = bytearray(8)
            framebuf.FrameBuffer(glyph, 8, 8, framebuf.MONO_VLSB).text(chr(code), 0, 0)
            known[bytes(glyph)] = chr(code)
        known[bytes(8)] = " "
        known[b"\\xff" * 8] = " "
        return known

    def lines():
        known = letters()
        with open("/.world/screen", "rb") as file:
            shown = file.read()
        for page in range(8):
            text = ""
            for at in range(page * 128, page * 128 + 128, 8):
                cell = shown[at : at + 8]
                text += known.get(cell) or known.get(bytes([byte ^ 0xFF for byte in cell]), "?")
            print(json.dumps(text.rstrip()))
"""


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path, SILENCE)


def with_display(board):
    (board.world / "oled").touch()
    return board


def test_the_display_shows_state_coverage_and_battery(board):
    said = with_display(board).run(
        DISPLAY
        + """
    screen.begin()
    panel.findings = {"c0:ff:ee:00:00:01": (6, -50)}
    screen.draw(STATUS._replace(waiting=14, connected=False) if hasattr(STATUS, "_replace") else
                DisplayStatus("hall-1", "Sweep", 192, [1, 6], False, 14, "press: end sweep"), panel)
    lines()
    """
    )

    assert said == [
        "hall-1       87%",
        "Sweep       3:12",
        "",
        "covered      50%",
        "",
        "camera-like    1",
        "offline  14 wait",
        "press: end sweep",
    ]


def test_the_display_shows_the_level_in_big_figures_and_as_a_bar(board):
    said = with_display(board).run(
        DISPLAY
        + """
    screen.begin()
    panel.reading = ("c0:ff:ee:00:00:01", -52, "warmer")
    screen.draw(STATUS, panel)
    lines()
    with open("/.world/screen", "rb") as file:
        shown = file.read()
    print(len([one for one in shown[2 * 128 : 5 * 128] if one]))
    print(json.dumps(list(shown[6 * 128 : 7 * 128])))
    panel.reading = ("c0:ff:ee:00:00:01", -128, "lost")
    screen.draw(STATUS, panel)
    lines()
    """
    )

    assert said[1] == "near ee:00:00:01"
    assert said[5] == "nearer       dBm"
    assert said[8] > 100, "big figures"
    assert said[9] == [255] * 80 + [0] * 48
    assert said[15] == "not heard    dBm"
    assert said[16] == ""


def test_a_line_that_has_not_changed_is_not_sent_again(board):
    counts = with_display(board).run(
        DISPLAY
        + """
    screen.begin()
    oled = screen._oled
    sent = []
    send = oled._send
    oled._send = lambda page: (sent.append(page), send(page))
    for waiting, hint in ((0, "press: stop"), (0, "press: stop"), (0, "hold 1s"), (3, "hold 1s"), (3, "hold 1s")):
        screen.draw(DisplayStatus("hall-1", "Sweep", 192, [1, 6], True, waiting, hint), panel)
        print(json.dumps(sent))
        sent.clear()
    """
    )

    assert counts == [[0, 1, 3, 5, 7], [], [7], [6], []]


def test_a_reading_gives_way_to_the_ordinary_lines_again(board):
    said = with_display(board).run(
        DISPLAY
        + """
    screen.begin()
    panel.reading = ("c0:ff:ee:00:00:01", -52, "warmer")
    screen.draw(STATUS, panel)
    panel.reading = None
    screen.draw(STATUS, panel)
    lines()
    """
    )

    assert said[:5] == ["hall-1       87%", "Sweep       3:12", "", "covered      50%", ""]


PANEL = """
    import asyncio, json, _simulation
    from firmware import boards
    from firmware.panel.panel import DisplayStatus, Panel
    seconds = iter(range(1000))
    status = lambda: DisplayStatus("hall-1", "Listening", next(seconds), [1, 6], True, 0, "")
    panel = Panel(boards.load("esp32_devkit"), ("led", "oled", "battery"), status)
    panel.begin()

    def run(ms):
        async def main():
            task = asyncio.create_task(panel.run())
            await asyncio.sleep_ms(ms)
            task.cancel()
        asyncio.run(main())
"""


def test_a_display_that_is_not_there_is_left_out(board):
    (board.world / "battery_mv").write_text("3925")
    said = board.run(PANEL + "    run(1000)\n    print(json.dumps([panel.fitted, panel.battery_percent]))")

    reason, (fitted, percent) = said
    assert reason == "display: no SSD1306 answers"
    assert fitted == ["led", "battery"]
    assert 70 <= percent <= 76  # the ADC is noisy


def test_a_display_that_comes_off_stops_nothing(board):
    said = with_display(board).run(
        PANEL
        + """
    import os
    run(1000)
    os.remove("/.world/oled")
    run(2000)
    print(json.dumps(panel.fitted))
    """
    )

    assert said[0].startswith("display:")
    assert said[1] == ["led", "battery"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('b"\\x40\\x00"', "page addressing"),  # before the addressing mode is set
        ('b"\\x00\\x81"', "without its argument"),
        ('b"\\x00\\x18"', "no command"),
        ('b"\\x80\\xaf"', "control byte"),
    ],
)
def test_the_simulated_display_refuses_what_the_data_sheet_does_not_have(board, data, why):
    (said,) = with_display(board).run(
        f"""
    from machine import I2C, Pin
    try:
        I2C(0, scl=Pin(22), sda=Pin(21)).writeto(0x3C, {data})
    except ValueError as error:
        print(error)
    """
    )

    assert why in said
