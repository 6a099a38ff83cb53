"""The example application, deployed by the CDK CLI into a `Cloud`."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from containers import why_no_network
from e2e.backend import Backend
from e2e.backend_invariants import backend_problems
from e2e.cloud import ACCOUNT, REGION, ROOT, Cloud
from e2e.frontend import Frontend
from e2e.frontend_invariants import frontend_problems
from e2e.stack import Json, Stack
from frontend_site.programs import need, skip
from galv.oci import push_image
from galv.stand_in import make_image
from proof.postgres import programs

DOMAIN = "example.com"
# Without what test_preflight.py and test_images.py show: deployments that are many, or that look at
# something else, are quicker.
BARE: Mapping[str, object] = {"preflight": False, "mirrorImage": False}
_IMAGE = "galv-team/galv-backend"
_PATIENCE = Path(__file__).with_name("patience.cjs")

# Seconds that a run of the CLI may take.
_LONGEST = 400
_QUIET = {
    "CI": "true",
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "true",
    # It looks at templates, not at what becomes of them; `npm run synth` has it on.
    "CDK_VALIDATION": "false",
}
_AUTHOR = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "Galv", "EMAIL": "galv@example.com"}.items()
}
_BUILD = """\
mkdir -p dist/assets
echo "<script type=module src=/assets/index-{version}.js></script>" > dist/index.html
echo "const api = '$VITE_GALV_API_BASE_URL'" > dist/assets/index-{version}.js
"""
_ATTACHED = {
    "index.html": "<script src=/env.js></script>"
    "<script type=module src=/assets/index-{version}.js></script>",
    "env.template.js": "window.__ENV__ = {{ VITE_GALV_API_BASE_URL: '$VITE_GALV_API_BASE_URL' }}",
    "assets/index-{version}.js": "fetch(window.__ENV__.VITE_GALV_API_BASE_URL)",
}


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
    with_frontend: bool = False

    def __post_init__(self) -> None:
        self.context = {
            "name": self.name,
            "projectNameTag": self.name,
            "isProduction": False,
            # A name in DNS of its own: all share one zone.
            "backendSubdomain": f"api-{self.name}",
            "frontendSubdomain": f"app-{self.name}",
            "mailFromDomain": f"mail-{self.name}.{DOMAIN}",
            **self.context,
        }
        self.folder = self.cloud.folder / self.name
        ignore = shutil.ignore_patterns("cdk.out", "cdk.context.json", "__pycache__")
        shutil.copytree(ROOT / "examples" / "galv-app", self.folder, ignore=ignore)
        # What one application looked up, the next need not: it is the same account.
        (self.folder / "cdk.context.json").symlink_to(self.cloud.folder / "cdk.context.json")

    @property
    def backend(self) -> Backend:
        """The backend that is deployed."""
        return Backend(self.cloud, f"{self.name}-BackendStack")

    @property
    def frontend(self) -> Frontend:
        """The frontend that is deployed."""
        return Frontend(self.cloud, f"{self.name}-FrontendStack")

    def problems(self) -> list[str]:
        """Say what is wrong with what is deployed."""
        found = backend_problems(self.backend)
        if self.with_frontend:
            found += frontend_problems(self.frontend, self.backend.outputs["BackendUrl"])
        return found

    def prepare_account(self) -> None:
        """Make what has to be in an account before the first deployment."""
        empty = self.cloud.folder / "empty"
        empty.mkdir()
        # From an empty folder: inside an application it would synthesize it first.
        regions = [f"aws://{ACCOUNT}/{region}" for region in sorted({REGION, "us-east-1"})]
        done = self._cdk("bootstrap", *regions, folder=empty)
        assert done.ok, done.output
        # The bootstrap gives it to the role of CloudFormation, but MiniStack loses it.
        administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
        for region in (REGION, "us-east-1"):
            role = f"cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{region}"
            self.cloud.client("iam").attach_role_policy(RoleName=role, PolicyArn=administrator)
        zone = {"Name": DOMAIN, "CallerReference": "e2e"}
        self.cloud.client("route53").create_hosted_zone(**zone)
        self.cloud.name_servers.publish()

    def publish(self, version: str, files: Mapping[str, str] | None = None) -> Path:
        """Put an image of the application that stands in for Galv into the registry.

        Args:
            version: Its tag. An image of that tag stays as it is, unless it is moved.
            files: Texts of files that are more or other ones, by path.
        """
        skip(why_no_network())
        if programs() is None:
            skip("PostgreSQL is missing (Debian: postgresql)")
        need("docker-registry")
        image = self.cloud.images / version
        if not image.exists():
            make_image(image, version=version, has_all_static_files=False, files=dict(files or {}))
            self.move_tag(version, version)
        return image

    def move_tag(self, tag: str, version: str) -> str:
        """Let a tag in the registry name the image of a version; return its digest."""
        return push_image(self.cloud.pusher(), _IMAGE, tag, self.cloud.images / version)

    def publish_galv(self, version: str, **migrations: str) -> Path:
        """Put an image with more migrations into the registry: their texts, by name."""
        files = {f"galv/migrations/{name}.py": text for name, text in migrations.items()}
        return self.publish(version, files)

    def publish_frontend(self, version: str, build: str = _BUILD) -> None:
        """Tag a version of the frontend's source that a script of shell builds."""
        repository = self.cloud.repositories / "galv-team" / "galv-frontend"
        (repository / ".git").mkdir(parents=True, exist_ok=True)
        (repository / "pnpm-lock.yaml").write_text("lockfileVersion: '9.0'\n")
        (repository / "package.json").write_text("{}\n")
        (repository / "build.sh").write_text(build.replace("{version}", version))
        self._git(
            ["init", "--quiet"],
            ["add", "--all"],
            ["commit", "--quiet", "--allow-empty", f"--message={version}"],
            ["tag", version],
        )

    def withdraw_frontend(self, version: str) -> None:
        """Remove the tag of a version of the frontend's source."""
        self._git(["tag", "--delete", version])

    def _git(self, *commands: list[str]) -> None:
        repository = self.cloud.repositories / "galv-team" / "galv-frontend"
        environment = {**os.environ, **self.cloud.environment(), **_AUTHOR}
        for command in commands:
            subprocess.run(
                ["git", *command], cwd=repository, env=environment, check=True, timeout=60
            )

    def attach_frontend(self, version: str) -> None:
        """Attach files to a release that are configured when they are published."""
        place = self.cloud.repositories / "galv-team" / "galv-frontend.releases" / version
        place.mkdir(parents=True)
        files = {name.format(version=version): text for name, text in _ATTACHED.items()}
        with tarfile.open(place / "frontend-build.tar.gz", "w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(f"./{name}")
                content = text.format(version=version).encode()
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    def change(self, file: str, old: str, new: str) -> None:
        """Change the application's own code, as whoever copied the example may."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has no single {old!r}: the change is out of date"
        path.write_text(text.replace(old, new))

    def deploy(self, *options: str, **context: object) -> Outcome:
        """Deploy with some context keys changed for good, as the example's workflow does."""
        self.context.update(context)
        workflow = ["--require-approval=never", "--concurrency=2"]
        return self._cdk("deploy", *self._which(), *workflow, *self._context(), *options)

    def diff(self) -> Outcome:
        """Compare what was synthesized last with what is deployed."""
        return self._cdk("diff", *self._which(), "--app=cdk.out")

    def destroy(self, *stacks: str) -> Outcome:
        """Delete what was synthesized last, or some of its stacks and what needs them."""
        everything = (
            ["--all"] if self.with_frontend else [self.backend.name, f"{self.name}-LogBucketStack"]
        )
        return self._cdk("destroy", *(stacks or everything), "--force", "--app=cdk.out")

    def deploy_template(self, template: Json, *others: tuple[Stack, Json]) -> Outcome:
        """Deploy what was synthesized last, but with another template for the backend.

        Args:
            template: Template of the backend.
            others: Other stacks with their templates.
        """
        changed = self.cloud.folder / f"{self.name}.changed.out"
        shutil.rmtree(changed, ignore_errors=True)
        shutil.copytree(self.folder / "cdk.out", changed)
        for stack, text in ((self.backend, template), *others):
            (changed / f"{stack.name}.template.json").write_text(json.dumps(text))
        self._forget_templates()
        try:
            approved = "--require-approval=never"
            return self._cdk("deploy", *self._which(), approved, f"--app={changed}")
        finally:
            self._forget_templates()

    def deploy_version(self, version: str) -> Outcome:
        """Deploy what was synthesized last, but with another version of the backend.

        Which is nothing but another tag of its image, and faster than synthesizing it.
        """
        return self.deploy_template(self.template_of_version(version))

    def template_of_version(self, version: str) -> Json:
        """Return the template of the backend that was synthesized last, for another version."""
        text = json.dumps(self.template(self.backend))
        before = f"galv-backend:{self.context['backendVersion']}"
        assert before in text
        return dict(json.loads(text.replace(before, f"galv-backend:{version}")))

    def processes(self, name: str) -> list[int]:
        """Return the processes of this machine that are the backend's, and run or do something."""
        host = f"VIRTUAL_HOST={self.context['backendSubdomain']}.".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                names = {word.rpartition(b"/")[2] for word in words}
                if name.encode() in names and host in (process / "environ").read_bytes():
                    found.append(int(process.name))
        return found

    def _forget_templates(self) -> None:
        """Make the CLI upload a template again although its name says that it is there."""
        s3 = self.cloud.client("s3")
        for region in (REGION, "us-east-1"):
            bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{region}"
            for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                if item["Key"].endswith(".json"):
                    s3.delete_object(Bucket=bucket, Key=item["Key"])

    def template(self, stack: Stack) -> Json:
        """Return the template of a stack as it was synthesized last."""
        text = (self.folder / "cdk.out" / f"{stack.name}.template.json").read_text()
        return dict(json.loads(text))

    def _which(self) -> list[str]:
        """Name what to deploy; the stacks that it needs come first."""
        return ["--all"] if self.with_frontend else [self.backend.name]

    def _context(self) -> list[str]:
        return [
            f"--context={key}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in self.context.items()
        ]

    def _cdk(self, *arguments: str, folder: Path | None = None) -> Outcome:
        return run_cdk(self.cloud, folder or self.folder, *arguments)


def run_cdk(cloud: Cloud, folder: Path, *arguments: str) -> Outcome:
    """Run the CDK CLI in a folder, against a cloud."""
    cache = Path.home() / ".cache" / "aws" / "jsii" / "package-cache"
    with (cloud.folder / "cdk.log").open("w+b") as log:
        process = subprocess.Popen(
            ["cdk", *arguments, "--no-notices", "--progress=events"],
            cwd=folder,
            env=os.environ
            | cloud.environment()
            | _QUIET
            # What jsii unpacked before, although HOME is another one.
            | {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(cache)}
            | {"NODE_OPTIONS": f"--require={_PATIENCE}"},
            stdin=subprocess.DEVNULL,
            # Not a pipe: what the CLI started could keep that open for ever.
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
        log.seek(0)
        output = log.read().decode(errors="replace")
    assert code >= 0, f"cdk {arguments[0]} did not end within {_LONGEST} s:\n{output[-4000:]}"
    return Outcome(code, output)
