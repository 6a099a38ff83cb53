"""Measure what synthesizing the example application takes, against an app with one bucket.

`npm run bench` prints the figures for docs/performance.md. Both are synthesized in turn by the CDK
CLI on the same versions, because a comparison outlives a change of machine and a number of seconds
does not. CloudFormation's validation, a constant of a second or two, is off.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "galv-app"
ROUNDS = 9
# What is aimed at; docs/performance.md says where it stands.
LIMIT = 2.0

ONE_BUCKET = """
from aws_cdk import App, Stack, aws_s3

app = App()
aws_s3.Bucket(Stack(app, "OneBucket"), "Bucket")
app.synth()
"""


def seconds(app: Path) -> float:
    """Return how long `cdk synth` takes for the app in a folder."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS")}
    command = ["cdk", "synth", "--quiet", "--no-validation", "--no-notices"]
    with tempfile.TemporaryDirectory() as outdir:
        start = time.perf_counter()
        subprocess.run(
            [*command, "--app", f"{sys.executable} app.py", "--output", outdir],
            cwd=app,
            env=env,
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - start


def main() -> int:
    """Measure both in turn, print medians and the ratio, and fail when that is too high."""
    with tempfile.TemporaryDirectory() as folder:
        one_bucket = Path(folder)
        (one_bucket / "app.py").write_text(ONE_BUCKET)
        seconds(EXAMPLE)
        rounds = [(seconds(EXAMPLE), seconds(one_bucket)) for _ in range(ROUNDS)]
    ratio = statistics.median(example / bucket for example, bucket in rounds)
    for name, times in zip(("example", "one bucket"), zip(*rounds, strict=True), strict=True):
        print(
            f"{name:10}  median {statistics.median(times):.2f} s"
            f"  (from {min(times):.2f} to {max(times):.2f})"
        )
    print(f"ratio       median {ratio:.2f}  (limit {LIMIT})")
    return int(ratio >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
