"""The error of a server that does not answer."""


class UnreachableError(Exception):
    """A server did not answer, or not as its protocol says.

    Args:
        whom: The server, or the address that was asked.
        why: The reason, without a full stop.
    """

    def __init__(self, whom: str, why: str) -> None:
        super().__init__(f"{whom}: {why}")
        self.whom = whom
        self.why = why
