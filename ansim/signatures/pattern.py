"""
Match names against compiled patterns, in place and without a regular expression engine.

MicroPython's `re` has no {n}, and its compiled patterns would take more heap than all the
tables together. The pattern language has what names of devices need, and no backtracking:

    text      itself; letters match in either case
    #         a digit
    @         a capital letter
    %         a hexadecimal digit
    &         a letter or a digit
    [-_ ]     one of these characters
    (ab|cd)   one of these texts, the longest that matches
    x{6}      x six times, for any x above that is one character
    x?        x or nothing, for any x above
    !         the next character is not a letter (or the name ends); takes no character
    $         the end of the name
    ~         as the first character: match anywhere, not only at the beginning
    \\         the next character stands for itself

The rest of the name after the pattern is ignored, unless the pattern ends with $.
tools/signatures.py compiles patterns to the codes below.
"""

# Codes below 0x20; every other byte is a character itself, letters in lower case.
DIGIT = 1
CAPITAL = 2
HEX = 3
LETTER_OR_DIGIT = 4
ONE_OF = 5  # then the number of characters, then these
EITHER = (
    6  # then 2 bytes: which first_letter_bit()s its texts have; the number of texts; each text, its length before it
)
TIMES = 7  # then how often; the element follows
MAYBE = 8  # the element follows
NO_LETTER = 14
END = 15
ANYWHERE = 16


def matches(code: bytes | memoryview, start: int, end: int, name: bytes) -> bool:
    """
    Return True if the pattern at code[start:end] matches `name`.

    code  bytes or memoryview of a compiled table
    name  bytes of UTF-8, at most 32 of them in an SSID
    """
    if start < end and code[start] == ANYWHERE:
        first_code = code[start + 1]
        for first in range(len(name)):
            byte = name[first]
            if 0x41 <= byte <= 0x5A:
                byte |= 0x20
            if (first_code == byte or first_code < 0x20) and _fits_at(code, start + 1, end, name, first):
                return True
        return False
    return _fits_at(code, start, end, name, 0)


def is_sound(code: bytes | memoryview, start: int, end: int) -> bool:
    """Return True if code[start:end] is a complete pattern, so that matches() cannot read past its end."""
    at = start
    if start < end and code[start] == ANYWHERE:
        at += 1
        if at == end:  # a pattern must follow
            return False
    while at < end:
        if code[at] == MAYBE:
            at += 1
        if at + 1 < end and code[at] == TIMES:
            at += 2
        if at >= end or code[at] in (0, TIMES, MAYBE, ANYWHERE):
            return False
        if at + (3 if code[at] == EITHER else 1 if code[at] == ONE_OF else 0) >= end:
            return False
        if code[at] == EITHER:
            texts = code[at + 3]
            at += 4
            while texts and at < end:
                at += code[at] + 1
                texts -= 1
            if texts:
                return False
        else:
            at = _after(code, at)
    return at == end


def _fits_at(code, at, end, name, position):
    length = len(name)
    while at < end:
        element = code[at]
        if element == END:
            return position == length
        if element == NO_LETTER:
            if position < length and _is_letter(name[position]):
                return False
            at += 1
            continue
        maybe = element == MAYBE
        if maybe:
            at += 1
            element = code[at]
        times = 1
        if element == TIMES:
            times = code[at + 1]
            at += 2
            element = code[at]
        after = _after(code, at)
        while times:
            taken = _takes(code, at, element, name, position)
            if taken:
                position += taken
            elif not maybe:
                return False
            times -= 1
        at = after
    return True


def _takes(code, at, element, name, position):
    """Return how many characters of the name the element takes; 0 if it does not match."""
    if element == EITHER:
        return _longest(code, at, name, position)
    if position >= len(name):
        return 0
    byte = name[position]
    if element == CAPITAL:
        return 1 if 0x41 <= byte <= 0x5A else 0
    if 0x41 <= byte <= 0x5A:
        byte |= 0x20
    if element == ONE_OF:
        for index in range(at + 2, at + 2 + code[at + 1]):
            if code[index] == byte:
                return 1
        return 0
    if element in (DIGIT, HEX, LETTER_OR_DIGIT):
        last = 0x60 if element == DIGIT else 0x66 if element == HEX else 0x7A
        return 1 if 0x30 <= byte <= 0x39 or 0x61 <= byte <= last else 0
    return 1 if element == byte else 0


def first_letter_bit(byte: int) -> int:
    """Return a bit that stands for a first letter, so that most EITHERs can be skipped at once."""
    return 1 << (byte & 15)


def _longest(code, at, name, position):
    best = 0
    left = len(name) - position
    if left <= 0:
        return 0
    first = name[position]
    if 0x41 <= first <= 0x5A:
        first |= 0x20
    if not (code[at + 1] | code[at + 2] << 8) & first_letter_bit(first):
        return 0
    text = at + 4
    for _ in range(code[at + 3]):
        size = code[text]
        if code[text + 1] == first and best < size <= left:
            for index in range(1, size):
                byte = name[position + index]
                if 0x41 <= byte <= 0x5A:
                    byte |= 0x20
                if code[text + 1 + index] != byte:
                    break
            else:
                best = size
        text += size + 1
    return best


def _after(code, at):
    """Return the offset of the element after the one at `at`."""
    element = code[at]
    if element == ONE_OF:
        return at + 2 + code[at + 1]
    if element == EITHER:
        texts = code[at + 3]
        at += 4
        for _ in range(texts):
            at += code[at] + 1
        return at
    return at + 1


def _is_letter(byte):
    return 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A
