"""
Weights of the evidence, written by tools/fit.py. Do not edit.

A rule is (index in camera_evidence.RULES, steps); a step is (lowest value, points).
"""

BASE = 50

# Shape of the traffic, known from the first reception on.
SHAPE = (
    # uplink_kbps
    (0, ((0, -5), (30, -4), (45, -3), (60, -1), (80, 1), (110, 4), (150, 6), (250, 8), (400, 10), (700, 11))),
    # uplink_share_permille
    (1, ((0, -7), (500, -6), (600, -4), (680, -2), (740, 1), (790, 3), (840, 4), (890, 6), (930, 8))),
    # mean_up_bytes
    (2, ((0, -4), (200, -3), (280, -1), (350, 1), (430, 3), (650, 4))),
    # mean_down_bytes
    (3, ((0, 7), (140, 4), (180, 2), (210, 0), (240, -2), (280, -4), (340, -6), (420, -8), (520, -11))),
    # duty_permille
    (4, ((0, -3), (550, -2), (650, -1), (750, 0), (850, 1), (950, 2))),
    # fine_duty_permille
    (5, ((0, -3), (200, -2), (300, -1), (450, 1), (600, 2), (750, 3))),
    # small_up_permille
    (8, ((0, 0), (800, -6), (850, -12), (930, -14))),
)

# How long it was received.
AMOUNT = (
    # active_rows
    (10, ((0, -40), (4, -20), (5, -12), (6, -7), (9, 0))),
)

# Second stage, known after a dwell or some time.
SECOND = (
    # gop_permille
    (18, ((0, -3), (150, -3), (300, 1), (450, 10))),
    # variation_permille
    (20, ((0, -10), (120, -10), (250, -5), (400, 2))),
    # local_address
    (25, ((0, 0), (1, -26))),
    # full_frames_permille
    (26, ((0, 0), (975, -6), (985, -24))),
    # persistence_s
    (21, ((0, 0), (600, 4), (1800, 10))),
    # rssi_peak_dbm
    (23, ((0, -5), (44, 0), (73, 2))),
    # rssi_span_db
    (24, ((0, 0), (12, 2))),
)

# An access point that sends traffic of its own, which mostly is a download.
ACCESS_POINT = (
    # own_source_permille
    (11, ((0, -56), (700, -40), (950, -28))),
    # single_client_permille
    (12, ((0, -30), (700, -12), (900, 0))),
    # max_length_bytes
    (6, ((0, 12), (1250, 0))),
    # max_length_share_permille
    (7, ((0, 3), (850, 0), (930, -6), (970, -14))),
    # fine_duty_permille
    (5, ((0, -8), (300, 0))),
    # open_network
    (22, ((0, -5), (1, 8))),
)
