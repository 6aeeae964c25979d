"""
`ssl` on top of MicroPython's `tls`, as far as firmware/network/mqtt.py needs it.

mbedTLS on this computer checks dates by the computer's clock, on an ESP32 by the chip's clock, which begins at
2000-01-01. So this one also checks the authorities by the simulated chip's clock. The handshake blocks for 1.5 to 3 s
and takes memory of the chip, until Wi-Fi is left or the next connection.
"""

import random
import time

import _simulation
import tls

PROTOCOL_TLS_CLIENT = tls.PROTOCOL_TLS_CLIENT
CERT_REQUIRED = tls.CERT_REQUIRED
_BYTES = 40000
_PIECE_BYTES = 17000  # the buffer of received records
_ALLOC_FAILED = -0x7F00
_UTC_TIME = b"\x17\x0d"  # in DER: a date of 13 characters, YYMMDDhhmmssZ


class SSLContext:
    def __init__(self, protocol):
        self._context = tls.SSLContext(protocol)
        self._validity = []  # (begin, end) of each authority

    @property
    def verify_mode(self):
        return self._context.verify_mode  # pyright: ignore[reportAttributeAccessIssue]

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode  # pyright: ignore[reportAttributeAccessIssue]

    def load_verify_locations(self, cafile=None, cadata=None):
        self._context.load_verify_locations(cadata)
        begin = cadata.index(_UTC_TIME) + 2
        end = cadata.find(_UTC_TIME, begin) + 2
        self._validity.append((_date(cadata, begin), _date(cadata, end) if end > begin else "9"))

    def load_cert_chain(self, certfile, keyfile):
        self._context.load_cert_chain(certfile, keyfile)

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        now = "%02d%02d%02d%02d%02d%02d" % ((time.gmtime()[0] % 100,) + time.gmtime()[1:6])
        if all(now < begin for begin, end in self._validity):
            raise ValueError("\nThe certificate validity starts in the future\n")
        if all(now > end for begin, end in self._validity):
            raise ValueError("\nThe certificate validity has expired\n")
        _simulation.idf_taken["tls"] = 0  # of the connection before
        if not _simulation.take_idf("tls", _BYTES, _PIECE_BYTES):
            raise OSError(_ALLOC_FAILED, "MBEDTLS_ERR_SSL_ALLOC_FAILED")
        _simulation.wait_us(1500000 + random.randrange(1500000))  # the handshake's arithmetic
        return self._context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )


def _date(der, offset):
    return der[offset : offset + 12].decode()
