"""
Charge of the battery: one lithium cell behind a voltage divider, read by the ADC.

    read_percent(board)      # 0..100, None without a cell

Source of the curve: the usual discharge of a 3.7 V lithium-polymer cell at 0.1 C, which is about what
the sensor draws from 1,000 mAh. It is accurate to some 10 %; the ESP32's ADC adds 2 %.
"""

READS = 16  # averaged, because the ADC is noisy
MIN_MV = 2500  # below this no cell is connected
# (mV, percent), interpolated linearly
CURVE = ((3300, 0), (3600, 8), (3700, 22), (3750, 38), (3800, 52), (3900, 70), (4000, 83), (4150, 100))


def read_percent(board):
    """Return the charge in percent, None if no battery is connected."""
    from machine import ADC, Pin

    adc = ADC(Pin(board.BATTERY), atten=ADC.ATTN_11DB)
    total_uv = 0
    for _ in range(READS):
        total_uv += adc.read_uv()
    return percent_at(total_uv // READS * board.BATTERY_DIVIDER // 1000)


def percent_at(mv: int):
    """Return the charge in percent at a cell's voltage, None below MIN_MV."""
    if mv < MIN_MV:
        return None
    low_mv, low = CURVE[0]
    if mv <= low_mv:
        return 0
    for high_mv, high in CURVE[1:]:
        if mv < high_mv:
            return low + (high - low) * (mv - low_mv) // (high_mv - low_mv)
        low_mv, low = high_mv, high
    return 100
