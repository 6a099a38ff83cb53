"""Synthesize the example application with the CDK CLI and say what came out.

npm run synth [-- argument of `cdk synth` ...]
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "examples" / "galv-app"


def summary(assembly: Path) -> list[str]:
    """Return one line per stack of a cloud assembly: its name, resource count and template."""
    manifest = json.loads((assembly / "manifest.json").read_text())
    stacks = {
        artifact.get("displayName", name): assembly / artifact["properties"]["templateFile"]
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    width = max(map(len, stacks), default=0)
    return [
        f"{name:{width}}  {len(json.loads(template.read_text())['Resources']):4} resources"
        f"  {os.path.relpath(template)}"
        for name, template in stacks.items()
    ]


def main() -> int:
    """Run `cdk synth`, which neither needs credentials nor reports anything to anyone."""
    done = subprocess.run(
        ["cdk", "synth", "--quiet", "--no-notices", *sys.argv[1:]],
        cwd=APP,
        env=os.environ | {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "true"},
        check=False,
    )
    if done.returncode == 0:
        print("\n".join(summary(APP / "cdk.out")))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
