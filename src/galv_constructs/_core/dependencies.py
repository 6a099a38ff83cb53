"""The resources that a dependency on a construct waits for."""

from collections.abc import Callable, Iterable

from constructs import Dependable, IConstruct


def set_dependency_roots(construct: IConstruct, roots: Callable[[], Iterable[IConstruct]]) -> None:
    """Make what depends on `construct` wait for `roots` only, not for all that is below it.

    Args:
        construct: The construct that others depend on.
        roots: Called at synthesis, so that it sees what was added in the meantime.
    """
    Dependable.implement(construct, _Roots(roots))


class _Roots(Dependable):
    def __init__(self, roots: Callable[[], Iterable[IConstruct]]) -> None:
        super().__init__()
        self._find = roots

    @property
    def dependency_roots(self) -> list[IConstruct]:
        return list(self._find())
