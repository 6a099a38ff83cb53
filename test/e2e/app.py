"""The example application, deployed by the CDK CLI into a `Cloud`."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.backend import Backend
from e2e.cloud import ACCOUNT, REGION, ROOT, Cloud

Json = dict[str, Any]
DOMAIN = "example.com"

_QUIET = {
    "CI": "true",
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "true",
    # It looks at templates, not at what becomes of them; `npm run synth` has it on.
    "CDK_VALIDATION": "false",
}
_MANAGE = """\
#!/bin/sh
# Stands in for the application: what this image does is in the files beside it.
echo "$2"
echo "$2 ${GALV_RELEASE_EVENT-}" >> calls
[ -f "$2" ] && exec sh "./$2" "$@"
exit 0
"""
_GUNICORN = "#!/bin/sh\necho serving\nexec sleep 3600\n"


@dataclass(frozen=True)
class Outcome:
    """How a run of the CLI ended."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.code == 0


@dataclass
class Application:
    """A copy of the example, so that what the CLI writes beside it stays out of the project."""

    cloud: Cloud
    name: str = "galv"
    context: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.context = {
            "name": self.name,
            "projectNameTag": self.name,
            "isProduction": False,
            # A name in DNS of its own: all share one zone.
            "backendSubdomain": "api" if self.name == "galv" else self.name,
            "mailFromDomain": f"mail-{self.name}.{DOMAIN}",
            **self.context,
        }
        self.stack = f"{self.name}-BackendStack"
        self.logs = f"{self.name}-LogBucketStack"
        self.folder = self.cloud.folder / self.name
        ignore = shutil.ignore_patterns("cdk.out", "cdk.context.json", "__pycache__")
        shutil.copytree(ROOT / "examples" / "galv-app", self.folder, ignore=ignore)

    @property
    def backend(self) -> Backend:
        """What is deployed."""
        return Backend(self.cloud, self.stack)

    def prepare_account(self) -> None:
        """Make what has to be in an account before the first deployment."""
        empty = self.cloud.folder / "empty"
        empty.mkdir()
        # From an empty folder: inside an application it would synthesize it first.
        regions = [f"aws://{ACCOUNT}/{region}" for region in sorted({REGION, "us-east-1"})]
        done = self._cdk("bootstrap", *regions, folder=empty)
        assert done.ok, done.output
        zone = {"Name": DOMAIN, "CallerReference": "e2e"}
        self.cloud.client("route53").create_hosted_zone(**zone)

    def publish(self, version: str, **commands: str) -> Path:
        """Put an image into the registry whose `manage.py` commands do what scripts say."""
        image = self.cloud.images / version
        if image.exists():
            return image
        (image / "galv" / "fixtures").mkdir(parents=True)
        for fixture in ("roles.json", "units.json"):
            (image / "galv" / "fixtures" / fixture).write_text("[]")
        for name, script in {"python": _MANAGE, "gunicorn": _GUNICORN, **commands}.items():
            (image / name).write_text(script)
            (image / name).chmod(0o755)
        return image

    def deploy(self, *options: str, **context: object) -> Outcome:
        """Deploy the backend and its logs with some context keys changed for good."""
        self.context.update(context)
        return self._cdk("deploy", *self._what(), *self._context(), *options)

    def diff(self) -> Outcome:
        """Compare what would be deployed with what is."""
        return self._cdk("diff", self.stack, *self._context())

    def destroy(self) -> Outcome:
        """Delete the backend and its logs."""
        return self._cdk("destroy", self.stack, self.logs, "--force", *self._context())

    def deploy_template(self, template: Json) -> Outcome:
        """Deploy the last synthesis with another template for the backend."""
        assembly = self.folder / "cdk.out"
        changed = self.cloud.folder / f"{self.name}.changed.out"
        shutil.rmtree(changed, ignore_errors=True)
        shutil.copytree(assembly, changed)
        (changed / f"{self.stack}.template.json").write_text(json.dumps(template))
        self._forget_templates()
        try:
            return self._cdk("deploy", *self._what(), f"--app={changed}")
        finally:
            self._forget_templates()

    def _forget_templates(self) -> None:
        """Make the CLI upload a template again although its name says that it is there."""
        s3, bucket = self.cloud.client("s3"), f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            if item["Key"].endswith(".json"):
                s3.delete_object(Bucket=bucket, Key=item["Key"])

    def template(self) -> Json:
        """Return the template of the backend as it was synthesized last."""
        text = (self.folder / "cdk.out" / f"{self.stack}.template.json").read_text()
        return dict(json.loads(text))

    def _what(self) -> list[str]:
        """Name the stack to deploy; the stacks that it needs come first."""
        return [self.stack, "--require-approval=never"]

    def _context(self) -> list[str]:
        return [
            f"--context={key}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in self.context.items()
        ]

    def _cdk(self, *arguments: str, folder: Path | None = None) -> Outcome:
        cache = Path.home() / ".cache" / "aws" / "jsii" / "package-cache"
        done = subprocess.run(
            ["cdk", *arguments, "--no-notices", "--progress=events"],
            cwd=folder or self.folder,
            env=os.environ
            | self.cloud.environment()
            | _QUIET
            # What jsii unpacked before, although HOME is another one.
            | {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(cache)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        return Outcome(done.returncode, done.stdout)
