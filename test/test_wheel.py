"""The distributions as users get them: built, installed where nothing else is, and used."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
EXAMPLES = ROOT / "examples"
NODE_MODULES = ROOT / "node_modules" / ".bin"


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, code: int = 0
) -> str:
    """What a command prints, which has to end with this code."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=None if env is None else dict(env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that uv builds from it."""
    folder = tmp_path_factory.mktemp("dist")
    run("uv", "build", "--quiet", "--no-create-gitignore", "--out-dir", folder)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (found,) = distributions.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def user(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a shell in which the wheel is installed, and nothing else of the project."""
    folder = tmp_path_factory.mktemp("user")
    venv, versions = folder / "venv", folder / "versions.txt"
    # The versions that the tests run with.
    versions.write_text(
        run("uv", "pip", "freeze", "--exclude-editable", "--python", sys.executable)
    )
    run("uv", "venv", "--quiet", "--python", sys.executable, venv)
    asked = ("-r", EXAMPLES / "galv-app" / "requirements.txt", "--constraints", versions, wheel)
    run("uv", "pip", "install", "--quiet", "--python", venv / "bin" / "python", *asked)
    return {
        "HOME": os.environ["HOME"],  # jsii's cache
        "JSII_NODE": os.environ["JSII_NODE"],
        "PATH": os.pathsep.join([str(venv / "bin"), str(NODE_MODULES), os.environ["PATH"]]),
        "VIRTUAL_ENV": str(venv),
    }


def synthesized(app: str, folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The templates of a copy of an example, by name."""
    copy = shutil.copytree(
        EXAMPLES / app, folder, ignore=shutil.ignore_patterns("cdk.out", "__pyc*")
    )
    env = {**env, "CDK_DISABLE_CLI_TELEMETRY": "true"}
    run("cdk", "synth", "--quiet", "--no-notices", "--no-validation", cwd=copy, env=env)
    return {path.name: path.read_text() for path in copy.glob("cdk.out/*.template.json")}


def test_everything_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert packed == {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path)

    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_links_on_pypi_lead_somewhere(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        page = archive.read(name).decode()

    links = re.findall(r"\]\(([^)]+)\)", re.sub(r"`[^`]*`", "", page))
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


def test_only_what_it_needs_is_installed_with_it(user: Mapping[str, str]) -> None:
    code = "from importlib.metadata import requires; print(*requires('galv-constructs'), sep='\\n')"
    needed = run("python", "-c", code, env=user)
    installed = run("uv", "pip", "freeze", env=user)

    # What an extra brings is named too, with the extra.
    always = [line for line in needed.splitlines() if "extra ==" not in line]
    names = re.findall(r"^[\w-]+", "\n".join(always), re.MULTILINE)
    assert sorted(names) == ["aws-cdk-lib", "constructs", "jsii"]
    assert "boto3" not in installed


def test_the_operators_command_says_what_it_lacks(user: Mapping[str, str]) -> None:
    command = shutil.which("galv-ops", path=user["PATH"])
    assert command is not None

    done = subprocess.run([command], env=user, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        "galv-ops needs boto3 and click, which the extra brings: "
        'pip install "galv-constructs[ops]"\n'
    )


def test_the_operators_command_needs_its_extra_alone(wheel: Path, tmp_path: Path) -> None:
    """Nothing of CDK, and each package in the oldest version that is allowed."""
    python = tmp_path / "venv" / "bin" / "python"
    run("uv", "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    install = ("uv", "pip", "install", "--quiet", "--python", python)
    run(*install, "--no-deps", wheel)
    code = "from importlib.metadata import requires; print(*requires('galv-constructs'), sep='\\n')"
    needed = run(python, "-c", code).splitlines()
    extra = [line.partition(";")[0] for line in needed if "extra ==" in line]
    run(*install, "--resolution=lowest-direct", *extra)

    said = run(python.with_name("galv-ops"), "--version")

    assert re.fullmatch(r"galv-ops, version \S+\n", said)


@pytest.mark.parametrize(("app", "stacks"), [("galv-app", 4), ("platform-app", 2)])
def test_synthesizes_an_example(
    user: Mapping[str, str], tmp_path: Path, app: str, stacks: int
) -> None:
    """Templates name assets by their content: with equal ones the handlers are there too."""
    project = {name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"}

    found = synthesized(app, tmp_path / "wheel", user)

    assert len(found) == stacks
    assert found == synthesized(app, tmp_path / "source", project)


def test_has_types(user: Mapping[str, str], tmp_path: Path) -> None:
    """As far as they are its own: with those of CDK mypy takes a minute, in `npm test`."""
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict=true\n[mypy-aws_cdk.*]\nfollow_imports=skip")
    (tmp_path / "app.py").write_text(
        "from typing_extensions import assert_type\n"
        "from galv_constructs import FrontendSource, ReleaseStep\n"
        "assert_type(FrontendSource.git_tag('v2.2.0'), FrontendSource)\n"
        "assert_type(ReleaseStep(name='migrate', command=['migrate']).name, str)\n"
        "ReleaseStep(name='migrate', command=5)\n"
    )
    python = Path(user["VIRTUAL_ENV"]) / "bin" / "python"

    said = run("mypy", "--python-executable", python, "app.py", cwd=tmp_path, code=1)

    assert re.findall(r"^app.py:(\d+): error: .* \[(.*)\]$", said, re.MULTILINE) == [
        ("5", "arg-type")
    ]


def test_its_import_costs_next_to_nothing(user: Mapping[str, str]) -> None:
    """On top of CDK, in a fresh process; the quickest of three, as machines have other work."""
    code = """
import aws_cdk, sys, time
before = set(sys.modules)
start = time.perf_counter()
import galv_constructs
print(time.perf_counter() - start, *(set(sys.modules) - before))
"""
    runs = [run("python", "-c", code, env=user).split() for _ in range(3)]

    assert [loaded for _, *loaded in runs] == [["galv_constructs"]] * 3
    assert min(float(seconds) for seconds, *_ in runs) < 0.05
