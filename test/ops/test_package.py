"""galv-ops knows nothing of the constructs; test_wheel.py shows the opposite."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a program loads."""
    code = (
        f"{code}; import json, sys; print(json.dumps([m.partition('.')[0] for m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )

    loaded = set(done.stdout.split())
    assert {"boto3", "click"} <= loaded
    assert not {"aws_cdk", "constructs", "jsii"} & loaded
