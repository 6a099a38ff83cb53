"""The example application, for what looks at it without the CDK CLI."""

import json
import sys
from pathlib import Path
from typing import Final

EXAMPLE: Final = Path(__file__).resolve().parent.parent / "examples" / "galv-app"
sys.path.insert(0, str(EXAMPLE))

from galv_app.feature_flags import FEATURE_FLAGS  # noqa: E402 - needs the path

CONTEXT: Final[dict[str, object]] = {
    **FEATURE_FLAGS,
    **json.loads((EXAMPLE / "cdk.json").read_text())["context"],
}
"""The context of the example when it is deployed: its feature flags and its cdk.json."""
