"""Measure what synthesizing the example application takes, against an app with one bucket.

`python tools/bench.py` prints the figures for docs/performance.md. All are synthesized in turn by
the CDK CLI on the same versions, because a comparison outlives a change of machine and a number of
seconds does not. CloudFormation's validation, a constant of a second or two, is off.

The app with one bucket is there twice: as one would write it, which is what the limit is about, and
with Python's modules of the same services as the example, to see how much of it is loading those.
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
# A guard: docs/performance.md says where it stands.
LIMIT = 2.4

ONE_BUCKET = """
from aws_cdk import App, Stack, aws_s3

app = App()
aws_s3.Bucket(Stack(app, "OneBucket"), "Bucket")
app.synth()
"""
LOADED = """
import sys
import galv_app.stacks

print(*(name for name in sys.modules if name.count(".") == 1 and name.startswith("aws_cdk.aws_")))
"""


def loaded_modules() -> list[str]:
    """Return the names of CDK's modules that the example loads."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=EXAMPLE, check=True, capture_output=True, text=True
    )
    return done.stdout.split()


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


def app_in(folder: Path, code: str) -> Path:
    """Return a new folder with an app."""
    folder.mkdir()
    (folder / "app.py").write_text(code)
    return folder


def main() -> int:
    """Measure all in turn, print medians and ratios, and fail when the first one is too high."""
    modules = loaded_modules()
    imports = "".join(f"import {name}\n" for name in modules)
    with tempfile.TemporaryDirectory() as folder:
        apps = {
            "example": EXAMPLE,
            "one bucket": app_in(Path(folder, "one"), ONE_BUCKET),
            f"with {len(modules)} modules": app_in(Path(folder, "same"), imports + ONE_BUCKET),
        }
        for app in apps.values():
            seconds(app)
        rounds = [[seconds(app) for app in apps.values()] for _ in range(ROUNDS)]
    ratios = {}
    for index, (name, times) in enumerate(zip(apps, zip(*rounds, strict=True), strict=True)):
        ratios[name] = statistics.median(each[0] / each[index] for each in rounds)
        print(
            f"{name:15}  median {statistics.median(times):.2f} s"
            f"  (from {min(times):.2f} to {max(times):.2f})  ratio {ratios[name]:.2f}"
        )
    print(f"The example may take up to {LIMIT} times as long as one bucket.")
    return int(ratios["one bucket"] >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
