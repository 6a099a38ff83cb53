"""Measure what synthesizing the example application takes, against an app with one bucket.

`npm run bench` prints the figures for docs/performance.md. Both apps run in turn on the same
versions, each in a process of its own, because a comparison outlives a change of machine and a
number of seconds does not. CloudFormation's validation, a constant of a second or two, is off.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "examples" / "galv-app"
ROUNDS = 9
LIMIT = 2.0

ONE_BUCKET = """
from aws_cdk import App, Stack, aws_s3

app = App()
aws_s3.Bucket(Stack(app, "OneBucket"), "Bucket")
app.synth()
"""


def seconds(command: list[str], context: str) -> float:
    """Return how long an app takes to synthesize, from the start of its process to the end."""
    with tempfile.TemporaryDirectory() as outdir:
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS", "CDK"))
        } | {"CDK_VALIDATION": "false", "CDK_OUTDIR": outdir, "CDK_CONTEXT_JSON": context}
        start = time.perf_counter()
        subprocess.run(command, cwd=APP, env=env, check=True, capture_output=True)
        return time.perf_counter() - start


def main() -> int:
    """Measure both in turn, print medians and the ratio, and fail when that is too high."""
    context = json.dumps(json.loads((APP / "cdk.json").read_text())["context"])
    example, one_bucket = [sys.executable, "app.py"], [sys.executable, "-c", ONE_BUCKET]
    seconds(example, context)
    seconds(one_bucket, "{}")
    rounds = [(seconds(example, context), seconds(one_bucket, "{}")) for _ in range(ROUNDS)]
    ratio = statistics.median(ours / theirs for ours, theirs in rounds)
    for name, times in zip(("example", "one bucket"), zip(*rounds, strict=True), strict=True):
        print(
            f"{name:10}  median {statistics.median(times):.2f} s"
            f"  (from {min(times):.2f} to {max(times):.2f})"
        )
    print(f"ratio       median {ratio:.2f}  (limit {LIMIT})")
    return int(ratio >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
