"""`machine.PWM`, `machine.ADC` and `machine.Timer`; machine.py imports them at their first use, to save heap."""

import random

import _simulation


class PWM:
    def __init__(self, _dest, *, freq=5000, duty_u16=0, duty_ns=None, invert=False):
        self._freq, self._duty = freq, duty_u16

    def freq(self, _value=None):
        if _value is None:
            return self._freq
        self._freq = _value
        return None

    def duty_u16(self, _value=None):
        if _value is None:
            return self._duty
        self._duty = _value
        return None

    def deinit(self):
        self._duty = 0


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3

    def __init__(self, id, *, sample_ns=0, atten=ATTN_0DB):
        pass

    def atten(self, atten):
        pass

    def read_uv(self):
        """A battery behind a divider by two: /.world/battery_mv, or 3.9 V."""
        return int(_simulation.load("battery_mv", "3900")) * 500 + random.randrange(4000) - 2000

    def read_u16(self):
        return self.read_uv() * 65535 // 3300000


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, _id):
        self._due_us = 0

    def init(self, *, mode=PERIODIC, period=None, callback=None, hard=None):
        self.deinit()
        self._every_us = period * 1000 if mode == Timer.PERIODIC else 0
        self._callback = callback
        self._due_us = _simulation.now_us() + period * 1000
        _simulation.pollers.append(self._poll)

    def deinit(self):
        if self._due_us:
            self._due_us = 0
            _simulation.pollers.remove(self._poll)

    def _poll(self):
        if _simulation.now_us() < self._due_us:
            return
        if self._every_us:
            self._due_us += self._every_us
        else:
            self.deinit()
        self._callback(self)
