"""The assets of the functions of `handlers/`."""

import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from backends import validation

from galv_constructs import handlers
from galv_constructs._core.handler import handler_function

PARTS = {
    "release_task": ["restore_point"],
    "image_mirror": ["_deployed"],
    "site_release": ["_site_config", "_site_page", "_site_tag"],
}
FOLDERS = {
    "image_mirror": ["_preflight"],
    "preflight": ["_preflight"],
    "site_release": ["_preflight"],
}
HANDLERS = Path(handlers.__path__[0])
MODULES = [path.stem for path in HANDLERS.glob("[!_]*.py")]


@pytest.mark.parametrize("module", MODULES)
def test_an_asset_is_the_handler_and_no_other(module: str, tmp_path: Path) -> None:
    parts, folders = PARTS.get(module, []), FOLDERS.get(module, [])
    stack = Stack(App(outdir=str(tmp_path), **validation(on=False)), "Stack")
    function = handler_function(
        stack,
        "Function",
        module=module,
        entry="on_event",
        parts=parts,
        folders=folders,
        description="A handler",
        role=iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")),
        log_group=logs.LogGroup(stack, "Logs"),
        timeout=Duration.minutes(1),
    )
    function.node.root.synth()  # type: ignore[attr-defined]  # it is the app

    (asset,) = (path.parent for path in tmp_path.glob("asset.*/handlers"))
    files = {str(path.relative_to(asset)) for path in asset.rglob("*") if path.is_file()}
    shared = ("_answers", "_aws", "_console", "_redact")
    packages = {
        str(path.relative_to(HANDLERS.parent))
        for folder in folders
        for path in (HANDLERS / folder).glob("*.py")
    }
    assert files == {f"handlers/{name}.py" for name in (module, *shared, *parts)} | packages
    # A link would lead nowhere in Lambda.
    assert not any(path.is_symlink() for path in asset.rglob("*"))
    # As Lambda imports it, whose only other package is boto3.
    code = (
        f"import handlers.{module}, sys; "
        "sys.exit(bool({'galv_constructs', 'galv_ops'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=asset, check=True)
