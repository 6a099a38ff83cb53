"""The error of a server that does not answer."""


class UnreachableError(Exception):
    """A server did not answer, or not as its protocol says.

    Args:
        whom: The server, or the address that was asked.
        why: The reason, without a full stop.
        status: The status of its answer, where a web server gave one that is none. Default: 0.
    """

    def __init__(self, whom: str, why: str, status: int = 0) -> None:
        super().__init__(f"{whom}: {why}")
        self.whom = whom
        self.why = why
        self.status = status
