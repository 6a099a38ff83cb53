"""Run the command: `python tools/proof`."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(_ROOT / "tools"), str(_ROOT / "test")]

from proof.command import main  # noqa: E402 - needs the paths

if __name__ == "__main__":
    sys.exit(main())
