"""
Layout of the station table: one bytearray of 16-bit halves, little-endian.

    byte    0  128 heads of hash chains: station number, 255 is none
    byte  128  16 halves of state, S_*
    byte  160  STATIONS stations of STRIDE halves, fields F_*
    then       SERIES_COUNT series of SERIES_BINS halves: bytes / 16 in each 100 ms, UNHEARD if not listened
    then       SERIES_COUNT times SERIES_LENGTHS halves: the station's frames of each length, in steps of 16 bytes

A station's fields COUNTS_FROM..COUNTS_TO count what was heard since the last fold. Folding
adds them to the newest of ROWS rows (a second of a dwell, or a visit while hopping) and to
sums that are halved every ROWS rows, and clears them. A count that overflows its field wraps;
a row or a sum stops at its maximum.

count.py and rows.py repeat these numbers as const(), because machine code cannot read another
module's names; a test compares them.
"""

STATIONS = 64
STRIDE = 112
FIRST = 80  # half at which stations begin
ROWS = 10
ROW_HALVES = 5
SERIES_COUNT = 3
SERIES_BINS = 256
SERIES_AT = FIRST + STATIONS * STRIDE
SERIES_LENGTHS = 56
SERIES_LENGTHS_FROM = 512  # bytes: shorter frames are no part of a picture
SERIES_LENGTHS_LAST = 1392  # this and longer: one count
SERIES_LENGTHS_AT = SERIES_AT + SERIES_COUNT * SERIES_BINS
TABLE_BYTES = 2 * (SERIES_LENGTHS_AT + SERIES_COUNT * SERIES_LENGTHS)
NONE = 255
UNHEARD = 0xFFFF
MS_STEP = 16  # a row's time is kept in steps of so many ms
BYTES_STEP = 128  # its bytes in steps of so many: a row of a second holds 67 Mbit/s, more than one antenna decodes
BIN_MS = 100

# State.
S_VISIT = 64  # changes with each tune
S_USED = 65  # stations in the table
S_NOW_S = 66  # modulo 65536, as F_ROW_S and F_LAST_S
S_CHANNEL = 67
S_ROW_TIME = 68  # of the row that is being filled, in MS_STEP
S_ROW_ID = 69  # changes with each row
S_EVICTED = 70  # stations replaced since the last coverage()
S_HEARD = 71  # stations heard since then
S_FIRST_S = 72  # 32 bits: F_FIRST_S of stations that are added now
S_PAIRS = 74  # 32 bits, of all stations: the sum of F_PAIRS since the last coverage(),
S_LOST = 76  # and of F_LOST

# Fields of a station. Bytes are pairs of halves, low half first, at even places.
F_ADDRESS = 0
F_NEXT = 3  # in its hash chain
F_FLAGS = 4
F_RANK = 5  # 0..255: stations with a low rank are replaced first
F_UP_BYTES = 6
F_DOWN_BYTES = 8
F_RSSI_SUM = 10  # of dBm + 128
F_UP_FRAMES = 12  # the parts of an A-MSDU count, as far as its length tells
F_DOWN_FRAMES = 13
F_UP_RECORDS = 14
F_RETRIES = 15
F_PAIRS = 16  # frames that followed a frame of the same sequence counter
F_LOST = 17  # sequence numbers missing between them
F_ACKED_UP = 18  # MPDUs of it that others acknowledged
F_ACKED_DOWN = 19  # MPDUs of others that it acknowledged by Block Ack
F_ASKED = 20  # CTS addressed to it
F_FINE = 21  # 100 ms bins in which it sent
F_OTHERS = 22  # access point: own frames to another client than F_BSSID
F_RSSI_MAX = 23  # dBm + 128
F_AMSDU = 24
F_RELAYED = 25  # access point: frames whose source is another station; station: null and management frames
COUNTS_FROM = F_UP_BYTES
COUNTS_TO = 26

F_LAST_BIN = 26
F_LAST_SEQUENCE = 27  # number, and the counter (TID, 15 without one) << 12; of an access point: to the client F_BSSID
F_VISIT = 28
F_MAX_LENGTH = 29
F_MAX_COUNT = 30  # frames of that length (within 8 bytes); halved as the sums are
F_LENGTHS = 31  # 8 bins of 256 bytes; halved as the sums are
F_BSSID = 39  # 3 halves; of an access point: its client
F_SERIES = 42  # 0 none, else number + 1
F_HOME = 43  # the channel it is heard best on
F_STRENGTH = 44  # frames there, fading
F_ROWS = 45  # filled
F_HEAD = 46  # place of the newest
F_ROW_ID = 47
F_ROW_S = 48
F_SUMS = 49  # first of the sums, in the order of the counts below
F_SUM_PAIRS = 49
F_SUM_LOST = 50
F_SUM_ACKED_UP = 51
F_SUM_ACKED_DOWN = 52
F_SUM_UP = 53
F_SUM_DOWN = 54
F_SUM_RETRIES = 55
F_SUM_OTHERS = 56
F_SUM_RELAYED = 57
F_RSSI = 58  # mean of the last fold in which it sent, dBm + 128
F_LAST_S = 59
F_FIRST_S = 60  # 32 bits
F_ROW = 62  # ROWS times: up bytes, up frames, down bytes, down frames, time | fine << 8

FLAG_OWN = 1  # has sent as an access point, with itself as the source
FLAG_HEARD = 2  # counted in S_HEARD

# What rows.scan() writes for a station, 32-bit words.
O_TIME = 0  # of the rows, in MS_STEP
O_UP = 1  # bytes in BYTES_STEP
O_UP_FRAMES = 2
O_DOWN = 3
O_DOWN_FRAMES = 4
O_ROWS = 5  # rows that are long enough to show whether it was active
O_ACTIVE = 6  # those in which it was
O_FINE = 7  # 100 ms bins in which it sent
O_ANSWERED = 8  # short frames to it in the newest row, if it was not heard there
O_LATE_TIME = 9  # the same of its newest rows alone, LATE_MS together or all there are
O_LATE_UP = 10
O_LATE_UP_FRAMES = 11
O_LATE_DOWN = 12
OUT_WORDS = 13
LATE_MS = 2880
