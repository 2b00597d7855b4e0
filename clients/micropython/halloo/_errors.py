"""What can go wrong."""


class HallooError(Exception):
    """Why there is no connection, and what to do. `code` is the close code or the HTTP status, or 0; `ending` says how an attempt
    or a connection ended, as in vectors/endings.json."""

    def __init__(self, text, code=0, ending="lost"):
        super().__init__(text)
        self.code, self.ending = code, ending
