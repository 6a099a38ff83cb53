"""Start `galv-ops`, or say what is missing."""

import sys
from importlib.util import find_spec

_NEEDED = ("boto3", "click")


def main() -> None:
    """Run the command line."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(
            f"galv-ops needs {' and '.join(missing)}, which the extra brings: "
            'pip install "galv-constructs[ops]"'
        )
    from galv_ops.cli import galv_ops  # noqa: PLC0415 - needs the extra

    galv_ops(prog_name="galv-ops")


if __name__ == "__main__":
    main()
