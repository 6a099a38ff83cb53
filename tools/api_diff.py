"""Compare the public API with that of the last release.

A break is refused unless a commit since then announces one, as `feat!: …` or `BREAKING CHANGE: …`
does, and by that makes the next version a new major one.

python tools/api_diff.py [--since REF]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import api_doc
import griffe
from releases import ROOT, announces_a_break, last_release, unpack


def breaks(old: griffe.Module, new: griffe.Module) -> list[str]:
    """Return what a program that was written for the old version may stumble over."""
    before, after = api_doc.public(old), api_doc.public(new)
    found = [f"- `{name}`: *Public name was removed*" for name in before if name not in after]
    for name in before:
        if name in after:
            found += [
                breakage.explain(griffe.ExplanationStyle("markdown"))
                for breakage in griffe.find_breaking_changes(before[name], after[name])
            ]
    return found


def main() -> int:
    """Compare, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", default=last_release())
    since = parser.parse_args().since
    if since is None:
        print("Public API: nothing has been released yet that it could differ from.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        old = api_doc.load(unpack(since, Path(folder)) / "src")
    found = breaks(old, api_doc.load(ROOT / "src"))
    print(f"Public API since {since}:", *(found or ["Nothing breaks."]), sep="\n")
    if found and not announces_a_break(since):
        print("No commit announces a break: see docs/upgrading.md.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
