"""galv-ops knows nothing of the constructs; test_wheel.py shows the opposite."""

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def test_it_loads_nothing_of_cdk() -> None:
    code = "import galv_ops.cli, sys; print(*{m.partition('.')[0] for m in sys.modules})"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE
    )

    loaded = set(done.stdout.split())
    assert {"boto3", "click"} <= loaded
    assert not {"aws_cdk", "constructs", "jsii"} & loaded
