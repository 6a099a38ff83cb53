"""What an operator and a program read, in files: a word, a link or a key that changes is seen.

`UPDATE_SNAPSHOTS=1` writes the files again; read their diff.
"""

import os
from pathlib import Path

TRANSCRIPTS = Path(__file__).parent / "transcripts"


def transcript(name: str, text: str) -> None:
    """Compare a text with its file."""
    path = TRANSCRIPTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
