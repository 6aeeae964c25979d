"""
`machine` of an ESP32, as far as a sensor uses it.

A reset ends the process; tools/virtual_sensor/sensor.py or tools/hardware/emulated_board.py starts it again with one of
_RESET_CAUSES in the environment variable SIM_CAUSE. An output keeps its
level and passes it to the chip that is connected to it. An input reads /.world/pin<number> if that file exists;
its interrupt fires only while a call blocks all tasks, because otherwise a task can poll the pin. The file is
read at most once in a millisecond of processor time, because a fast scene polls far more often.

In all these modules a parameter that begins with "_" is positional-only, as in the real ones;
MicroPython has no syntax for that.
"""

import binascii
import os

import _simulation
import utime

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

# What reset_cause() answers after each reset, as in ports/esp32/modmachine.c: a crash of the chip and machine.reset()
# look alike, and so do a power-on and a supply voltage that fell too low ("brown-out"); a reset by USB or JTAG has no
# name. Only PWRON clears the RTC memory.
_RESET_CAUSES = {
    "PWRON": PWRON_RESET,
    "BROWNOUT": PWRON_RESET,
    "USB": 0,
    "HARD": HARD_RESET,
    "PANIC": HARD_RESET,
    "WDT": WDT_RESET,
    "DEEPSLEEP": DEEPSLEEP_RESET,
    "SOFT": SOFT_RESET,
}
# GPIO numbers of each chip without those of its flash, and its clock frequencies in MHz; /.world/chip names the chip.
_CHIPS = {
    "esp32": ((0, 1, 2, 3, 4, 5) + tuple(range(12, 24)) + (25, 26, 27) + tuple(range(32, 40)), (20, 40, 80, 160, 240)),
    "esp32s3": (tuple(range(22)) + tuple(range(33, 49)), (20, 40, 80, 160, 240)),
    "esp32c3": (tuple(range(11)) + tuple(range(18, 22)), (20, 40, 80, 160)),
    "esp32c5": (tuple(range(15)) + tuple(range(23, 29)), (20, 40, 80, 160, 240)),
}
_PINS, _FREQUENCIES_MHZ = _CHIPS[_simulation.load("chip", "esp32")]
_cause = _RESET_CAUSES[os.getenv("SIM_CAUSE") or "PWRON"]
_clock_hz = 160000000


def reset():
    _simulation.reset("HARD")


def soft_reset():
    _simulation.reset("SOFT")


def deepsleep(_time_ms=0):
    _simulation.save("sleep_ms", str(_time_ms))
    _simulation.reset("DEEPSLEEP")


def lightsleep(_time_ms=0):
    _simulation.wait_us(_time_ms * 1000)


def reset_cause():
    return _cause


def unique_id():
    return binascii.unhexlify(os.getenv("SIM_ID") or "246f28aabb01")


def freq(_hz=None):
    global _clock_hz
    if _hz is None:
        return _clock_hz
    if _hz % 1000000 or _hz // 1000000 not in _FREQUENCIES_MHZ:
        raise ValueError("frequency must be one of this chip's")
    _clock_hz = _hz
    return None


def idle():
    _simulation.wait_us(1000)


class WDT:
    def __init__(self, *, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%d) doesn't exist" % id)
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        self._timeout_us = timeout * 1000
        self.feed()

    def feed(self):
        _simulation.watchdog_us = _simulation.now_us() + self._timeout_us


class RTC:
    def __init__(self, id=0):
        pass

    def memory(self, _data=None):
        if _data is None:
            try:
                with open(_simulation.FOLDER + "rtc", "rb") as file:
                    return file.read()
            except OSError:
                return b""
        if len(_data) > 2048:
            raise ValueError("buffer too long")
        _simulation.save("rtc", bytes(_data))
        return None

    def datetime(self, datetimetuple=None):
        import time  # the chip's

        if datetimetuple is None:
            year, month, day, hour, minute, second, weekday = time.gmtime()[:7]
            return year, month, day, weekday, hour, minute, second, 0
        year, month, day, _, hour, minute, second, _ = datetimetuple
        _simulation.clock_ahead_s += time.mktime((year, month, day, hour, minute, second, 0, 0)) - time.time()
        return None


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, _id, mode=-1, pull=-1, *, value=None, drive=None, alt=None):
        if _id not in _PINS:
            raise ValueError("invalid pin")
        self._id = _id
        self._level = 1 if pull == Pin.PULL_UP else 0
        self._file = (0, self._level)  # when the file was read, and its level
        self._idle_at_us = None  # scene time at which a timed level ends
        self.init(mode, pull, value=value, drive=drive, alt=alt)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, alt=None):
        self._mode = mode
        if value is not None:
            self._set(1 if value else 0)

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING, *, priority=1, wake=None, hard=False):
        last = [self.value()]

        def check():
            level = self.value()
            if level != last[0]:
                last[0] = level
                if trigger & (Pin.IRQ_RISING if level else Pin.IRQ_FALLING):
                    handler(self)

        _simulation.interrupts.append(check)

    def value(self, _x=None):
        if _x is not None:
            self._set(1 if _x else 0)
            return None
        if self._mode == Pin.IN:
            now_us = utime.ticks_us()
            if utime.ticks_diff(now_us, self._file[0]) >= 1000:
                self._file = (now_us, self._read_file())
            return self._file[1]
        return self._level

    def _read_file(self):
        name = "pin%d" % self._id
        words = _simulation.load(name).split()  # none while it is being written
        if len(words) == 2:
            if self._idle_at_us is None:
                self._idle_at_us = _simulation.now_us() + int(words[1]) * 1000
            if _simulation.now_us() >= self._idle_at_us:
                self._idle_at_us = None
                _simulation.save(name, str(self._level))
                return self._level
        return int(words[0]) if words else self._level

    def __call__(self, _x=None):
        return self.value(_x)

    def on(self):
        self._set(1)

    def off(self):
        self._set(0)

    def toggle(self):
        self._set(self._level ^ 1)

    def _set(self, level):
        self._level = level
        if self._id in _simulation.output_listeners:
            _simulation.output_listeners[self._id](level)


def __getattr__(name):
    # Imported at the first use, because every name takes the sensor's heap.
    if name in ("PWM", "ADC", "Timer"):
        import _machine_pwm_adc_timer

        return getattr(_machine_pwm_adc_timer, name)
    if name in ("I2C", "SPI"):
        import _machine_i2c_spi

        return getattr(_machine_i2c_spi, name)
    raise AttributeError(name)
