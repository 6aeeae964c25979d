"""The panel's display on the real MicroPython, with a simulated SSD1306."""

import pytest

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

    def glyphs():
        import framebuf
        characters = {}
        for code in range(33, 127):
            glyph = bytearray(8)
            framebuf.FrameBuffer(glyph, 8, 8, framebuf.MONO_VLSB).text(chr(code), 0, 0)
            characters[bytes(glyph)] = chr(code)
        characters[bytes(8)] = " "
        characters[b"\\xff" * 8] = " "
        return characters

    def print_lines():
        characters = glyphs()
        with open("/.world/screen", "rb") as file:
            pixels = file.read()
        for page in range(8):
            text = ""
            for start in range(page * 128, page * 128 + 128, 8):
                cell = pixels[start : start + 8]
                text += characters.get(cell) or characters.get(bytes([byte ^ 0xFF for byte in cell]), "?")
            print(json.dumps(text.rstrip()))
"""


@pytest.fixture
def board(silent_board):
    """A board with a display."""
    (silent_board.world / "oled").touch()
    return silent_board


def test_the_display_shows_state_coverage_and_battery(board):
    output = board.run(
        DISPLAY
        + """
    screen.begin()
    panel.findings = {"c0:ff:ee:00:00:01": (6, -50, True), "a": (1, -70, False), "b": (1, -70, False)}
    screen.draw(DisplayStatus("hall-1", "Sweep", 192, [1, 6], False, 14, "press: end sweep"), panel)
    print_lines()
    """
    )

    assert output == [
        "hall-1       87%",
        "Sweep       3:12",
        "worth a look   2",
        "covered      50%",
        "",
        "camera-like    1",
        "offline  14 wait",
        "press: end sweep",
    ]


def test_the_display_shows_the_level_in_large_digits_and_as_a_bar(board):
    output = board.run(
        DISPLAY
        + """
    screen.begin()
    panel.reading = ("c0:ff:ee:00:00:01", -52, "warmer")
    screen.draw(STATUS, panel)
    print_lines()
    with open("/.world/screen", "rb") as file:
        pixels = file.read()
    print(len([column for column in pixels[2 * 128 : 5 * 128] if column]))
    print(json.dumps(list(pixels[6 * 128 : 7 * 128])))
    panel.reading = ("c0:ff:ee:00:00:01", -128, "lost")
    screen.draw(STATUS, panel)
    print_lines()
    """
    )

    assert output[1] == "near ee:00:00:01"
    assert output[5] == "nearer       dBm"
    assert output[8] > 100, "large digits"
    assert output[9] == [255] * 80 + [0] * 48
    assert output[15] == "not heard    dBm"
    assert output[16] == ""


def test_a_line_that_has_not_changed_is_not_sent_again(board):
    counts = board.run(
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


def test_after_a_reading_the_ordinary_lines_are_shown_again(board):
    output = board.run(
        DISPLAY
        + """
    screen.begin()
    panel.reading = ("c0:ff:ee:00:00:01", -52, "warmer")
    screen.draw(STATUS, panel)
    panel.reading = None
    screen.draw(STATUS, panel)
    print_lines()
    """
    )

    assert output[:5] == ["hall-1       87%", "Sweep       3:12", "", "covered      50%", ""]


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


def test_a_display_that_does_not_answer_is_left_out(silent_board):
    (silent_board.world / "battery_mv").write_text("3925")
    output = silent_board.run(PANEL + "    run(1000)\n    print(json.dumps([panel.fitted, panel.battery_percent]))")

    reason, (fitted, percent) = output
    assert reason == "display: no SSD1306 answers"
    assert fitted == ["led", "battery"]
    assert 70 <= percent <= 76  # the ADC is noisy


def test_a_display_that_is_disconnected_stops_nothing(board):
    output = board.run(
        PANEL
        + """
    import os
    run(1000)
    os.remove("/.world/oled")
    run(2000)
    print(json.dumps(panel.fitted))
    """
    )

    assert output[0].startswith("display:")
    assert output[1] == ["led", "battery"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('b"\\x40\\x00"', "page addressing"),  # before the addressing mode is set
        ('b"\\x00\\x81"', "without its argument"),
        ('b"\\x00\\x18"', "no command"),
        ('b"\\x80\\xaf"', "control byte"),
    ],
)
def test_the_simulated_display_refuses_commands_that_are_not_in_the_data_sheet(board, data, message):
    (output,) = board.run(
        f"""
    from machine import I2C, Pin
    try:
        I2C(0, scl=Pin(22), sda=Pin(21)).writeto(0x3C, {data})
    except ValueError as error:
        print(error)
    """
    )

    assert message in output
