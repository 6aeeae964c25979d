"""
What each piece of evidence is worth: written by tools/fit.py, which says how. Do not edit.

A rule is (place in camera_evidence.RULES, steps); a step is (value it begins at, points).
"""

BASE = 50

# What it sends; known from the first visit on.
SHAPE = (
    (0, ((0, -5), (30, -4), (45, -2), (60, -1), (80, 1), (110, 4), (150, 6), (250, 8), (400, 10),)),  # uplink_kbps
    (1, ((0, -7), (500, -6), (600, -5), (680, -2), (740, 1), (790, 3), (840, 4), (890, 6), (930, 8),)),  # uplink_share_permille
    (2, ((0, -5), (200, -3), (280, -1), (350, 1), (430, 3), (650, 4),)),  # mean_up_bytes
    (3, ((0, 7), (140, 4), (180, 2), (210, -1), (240, -3), (280, -4), (340, -6), (420, -8), (520, -10),)),  # mean_down_bytes
    (4, ((0, -3), (550, -2), (750, 0), (850, 1), (950, 2),)),  # duty_permille
    (5, ((0, -3), (200, -2), (300, -1), (450, 0), (600, 2), (750, 3),)),  # fine_duty_permille
    (6, ((0, 0),)),  # peak_permille
)

# For how long that was heard.
AMOUNT = (
    (10, ((0, -40), (4, -19), (5, -12), (6, -7), (9, 0),)),  # active_rows
)

# What shows in a dwell, or with time.
SECOND = (
    (18, ((0, -3), (150, -3), (300, 2), (450, 9),)),  # gop_permille
    (20, ((0, -10), (120, -10), (250, -5), (400, 2),)),  # variation_permille
    (25, ((0, 0), (1, -20),)),  # local_address
    (26, ((0, 0), (975, -6), (985, -16),)),  # full_frames_permille
    (21, ((0, 0), (600, 4), (1800, 10),)),  # persistence_s
    (23, ((0, -5), (44, 0), (73, 2),)),  # rssi_peak_dbm
    (24, ((0, 0), (12, 2),)),  # rssi_span_db
)

# An access point that sends on its own account: mostly a download.
ACCESS_POINT = (
    (11, ((0, -40), (700, -26), (950, -20),)),  # own_source_permille
    (12, ((0, -30), (700, -12), (900, 0),)),  # single_client_permille
    (7, ((0, 3), (850, 0), (930, -6), (970, -14),)),  # max_length_share_permille
    (22, ((0, 0), (1, 8),)),  # open_network
)
