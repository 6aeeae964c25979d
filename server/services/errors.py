"""What a service can answer instead of doing what it was asked."""


class NotFound(Exception):
    """There is no such thing, or it is none of this person's business."""


class Refused(Exception):
    """
    It cannot be done now, and a person can understand why.

    code    a stable word such as "already_running"; the pages have its sentence in each language
    values  what the sentence needs, such as count=2
    """

    def __init__(self, code: str, **values):
        super().__init__(code if not values else f"{code} {values}")
        self.code = code
        self.values = values
