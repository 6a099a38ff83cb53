"""Synthesize the example application with the CDK CLI and say what came out.

npm run synth [-- argument of `cdk synth` ...]
"""

import argparse
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
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("-o", "--output", type=Path, default=Path("cdk.out"))
    # As the CLI takes it, from the folder that it runs in.
    assembly = APP / options.parse_known_args()[0].output
    done = subprocess.run(
        ["cdk", "synth", "--quiet", "--no-notices", *sys.argv[1:]],
        cwd=APP,
        env=os.environ | {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "true"},
        check=False,
    )
    # `--help` writes none.
    if done.returncode == 0 and assembly.is_dir():
        print("\n".join(summary(assembly)))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
