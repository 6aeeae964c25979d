"""
Watch one stream while somebody moves, or keeps still, as the panel asks: the stimulus test on the device.

    listener.watch(Watch(test, 6, tell))       # until its last slot is over; then tell() has the result
"""

from ansim import messages


class Watch:
    """
    test     an ansim.detect.stimulus.Stimulus that has begun
    channel  of the stream
    tell     function(kind, body) that makes a report
    """

    def __init__(self, test, channel: int, tell):
        self.take = test.take
        self._test = test
        self._channel = channel
        self._tell = tell

    def tick(self, channel: int, from_ms: int, to_ms: int) -> bool:
        """The sniffer was on a channel from then to now; False when the test is over."""
        if channel == self._channel:
            self._test.listening(from_ms, to_ms)
        if not self._test.over(to_ms):
            return True
        self._tell(messages.STIMULUS, _body(self._test.result()))
        return False


def _body(result):
    names = ("subject", "slots", "p_ppm", "effect_permille", "heard_permille")
    return {names[at]: result[at] for at in range(len(names))}
