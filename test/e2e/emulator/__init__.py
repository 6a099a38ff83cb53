"""MiniStack with what it lacks for this project, in an environment of its own.

MiniStack (https://github.com/ministackorg/ministack) emulates AWS in one process. Added here: the
resource types that it does not know; checks that AWS makes and it does not; containers as local
processes; and an order of creation that shows missing dependencies.

It touches private names of MiniStack, which is why that is pinned to one version. `private.py`
names them, and fails at the start if one is gone.
"""
