"""
How full the battery is: one lithium cell behind a divider, read by the ADC.

    percent(board)      # 0..100, None if no cell is there

Source of the curve: the usual discharge of a 3.7 V lithium-polymer cell at 0.1 C; the sensor
draws about that from 1,000 mAh. It is good to 10 % or so; the ESP32's ADC adds 2 %.
"""

READS = 16  # the ADC is noisy; their mean is not
LEAST_MV = 2500  # a cell below this is not connected
# (mV, percent), straight lines between
CURVE = ((3300, 0), (3600, 8), (3700, 22), (3750, 38), (3800, 52), (3900, 70), (4000, 83), (4150, 100))


def percent(board):
    """Return how full it is in percent, None if the pin sees no battery."""
    from machine import ADC, Pin

    adc = ADC(Pin(board.BATTERY), atten=ADC.ATTN_11DB)
    total_uv = 0
    for _ in range(READS):
        total_uv += adc.read_uv()
    return of_mv(total_uv // READS * board.BATTERY_DIVIDER // 1000)


def of_mv(mv: int):
    """Return the percentage for a cell's voltage, None below LEAST_MV."""
    if mv < LEAST_MV:
        return None
    below_mv, below = CURVE[0]
    if mv <= below_mv:
        return 0
    for above_mv, above in CURVE[1:]:
        if mv < above_mv:
            return below + (above - below) * (mv - below_mv) // (above_mv - below_mv)
        below_mv, below = above_mv, above
    return 100
