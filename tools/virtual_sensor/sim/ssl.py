"""
`ssl` on top of MicroPython's `tls`, as far as firmware/network/mqtt.py needs it.

Boards have micropython-lib's version in their interpreter. Debian's source package of MicroPython does not
include it, so tools/native.py freezes this one into the interpreter for this computer.
"""

import tls

PROTOCOL_TLS_CLIENT = tls.PROTOCOL_TLS_CLIENT
CERT_REQUIRED = tls.CERT_REQUIRED


class SSLContext:
    def __init__(self, protocol):
        self._context = tls.SSLContext(protocol)

    @property
    def verify_mode(self):
        return self._context.verify_mode  # pyright: ignore[reportAttributeAccessIssue]

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode  # pyright: ignore[reportAttributeAccessIssue]

    def load_verify_locations(self, cafile=None, cadata=None):
        self._context.load_verify_locations(cadata)

    def load_cert_chain(self, certfile, keyfile):
        self._context.load_cert_chain(certfile, keyfile)

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        return self._context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )
