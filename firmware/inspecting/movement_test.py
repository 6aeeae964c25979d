"""
The stimulus test on the device: watch one stream while the panel asks a person to move or to keep still.

    listener.test_stimulus(StimulusTest(test, 6, report))       # report() gets the result after the last slot
"""

from ansim import messages


class StimulusTest:
    """
    test     an ansim.detect.stimulus.Stimulus that has begun
    channel  of the stream
    report   function(kind, body) that appends a report to the journal
    """

    def __init__(self, test, channel: int, report):
        self.take = test.take
        self.result = None  # body of the STIMULUS report once the test is over
        self._test = test
        self._channel = channel
        self._report = report

    def tick(self, channel: int, from_ms: int, to_ms: int) -> bool:
        """Note that the sniffer was on a channel in this time; return False once the test is over."""
        if channel == self._channel:
            self._test.listening(from_ms, to_ms)
        if not self._test.over(to_ms):
            return True
        self.result = _body(self._test.result())
        self._report(messages.STIMULUS, self.result)
        return False


def _body(result):
    names = ("subject", "slots", "p_ppm", "effect_permille", "heard_permille")
    return {names[index]: result[index] for index in range(len(names))}
