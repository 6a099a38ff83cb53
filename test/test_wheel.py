"""The distributions as users get them: built, installed where nothing else is, and used."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
EXAMPLES = ROOT / "examples"
NODE_MODULES = ROOT / "node_modules" / ".bin"


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, code: int = 0
) -> str:
    """Return the output of a command, which has to end with this code."""
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


# Each distribution of this repository: where its pyproject.toml is, and the package in it.
FOLDERS = {"galv-constructs": ROOT, "galv-ops": SOURCE / "galv_ops"}
# What a folder holds beside its package.
NOT_PACKED = {"galv_ops/LICENSE", "galv_ops/pyproject.toml"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution, which uv builds from its source distribution."""
    made = {}
    for name, project in FOLDERS.items():
        folder = tmp_path_factory.mktemp(name)
        run("uv", "build", "--quiet", "--no-create-gitignore", "--out-dir", folder, project)
        (made[name],) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def wheel(wheels: Mapping[str, Path]) -> Path:
    return wheels["galv-constructs"]


def metadata(wheel: Path) -> Message:
    """The metadata of a wheel."""
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return message_from_bytes(archive.read(name))


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


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_everything_of_the_package_is_in_the_wheel(wheels: Mapping[str, Path], name: str) -> None:
    """Also what is a link here: the handlers and galv-ops share some files."""
    with ZipFile(wheels[name]) as archive:
        packed = {
            file: archive.read(file) for file in archive.namelist() if ".dist-info/" not in file
        }

    assert packed == {
        file: path.read_bytes()
        for folder, _, names in os.walk(SOURCE / name.replace("-", "_"), followlinks=True)
        for path in [Path(folder) / name for name in names]
        if "__pycache__" not in path.parts
        for file in [str(path.relative_to(SOURCE))]
        if file not in NOT_PACKED
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_the_source_distribution_builds_the_same_wheel(
    wheels: Mapping[str, Path], name: str, tmp_path: Path
) -> None:
    run("uv", "build", "--quiet", "--wheel", "--out-dir", tmp_path, FOLDERS[name])

    assert (tmp_path / wheels[name].name).read_bytes() == wheels[name].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_has_the_licence(wheels: Mapping[str, Path], name: str) -> None:
    with ZipFile(wheels[name]) as archive:
        (file,) = (file for file in archive.namelist() if file.endswith("/LICENSE"))

        assert archive.read(file) == (ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_links_on_pypi_lead_somewhere(wheels: Mapping[str, Path], name: str) -> None:
    said = metadata(wheels[name])
    page = re.sub(r"`[^`]*`", "", str(said.get_payload()))

    links = re.findall(r"\]\(([^)]+)\)", page)
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    # Those that lead into the repository: what they name is there.
    own = rf"https://github\.com/galv-team/galv-constructs/(?:blob|raw)/v{said['Version']}/([^#]+)"
    named = [match[1] for link in links if (match := re.match(own, link))]
    assert [file for file in named if not (ROOT / file).exists()] == []


@pytest.mark.slow
def test_only_what_it_needs_is_installed_with_it(user: Mapping[str, str]) -> None:
    code = "from importlib.metadata import requires; print(*requires('galv-constructs'), sep='\\n')"
    needed = run("python", "-c", code, env=user)
    installed = run("uv", "pip", "freeze", env=user)

    # What an extra brings is named too, with the extra.
    always = [line for line in needed.splitlines() if "extra ==" not in line]
    names = re.findall(r"^[\w-]+", "\n".join(always), re.MULTILINE)
    assert sorted(names) == ["aws-cdk-lib", "constructs", "jsii"]
    assert "boto3" not in installed


@pytest.mark.slow
def test_the_extra_brings_the_operators_command_of_the_same_version(
    wheels: Mapping[str, Path],
) -> None:
    constructs, ops = (metadata(wheels[name]) for name in ("galv-constructs", "galv-ops"))

    assert constructs["Version"] == ops["Version"]
    assert [line for line in constructs.get_all("Requires-Dist", []) if "extra ==" in line] == [
        f"galv-ops=={ops['Version']}; extra == 'ops'"
    ]


@pytest.fixture
def ops_alone(wheels: Mapping[str, Path], tmp_path: Path) -> Callable[..., Path]:
    """Installs galv-ops where nothing else is, and returns its environment."""

    def install(*options: str) -> Path:
        venv = tmp_path / "venv"
        run("uv", "venv", "--quiet", "--python", sys.executable, venv)
        command = ("uv", "pip", "install", "--quiet", "--python", venv / "bin" / "python")
        run(*command, *options, wheels["galv-ops"])
        return venv

    return install


@pytest.mark.slow
def test_the_operators_command_is_small(ops_alone: Callable[..., Path]) -> None:
    """It comes without CDK, which alone has 400 MB."""
    venv = ops_alone()

    help_ = run(venv / "bin" / "galv-ops", "--help")
    installed = run("uv", "pip", "list", "--format=json", "--python", venv / "bin" / "python")
    names = {one["name"] for one in json.loads(installed)}
    megabytes = sum(path.stat().st_size for path in venv.rglob("*") if path.is_file()) / 1e6

    assert help_.startswith("Usage: galv-ops ")
    assert {"boto3", "click", "galv-ops"} <= names
    assert not {"aws-cdk-lib", "constructs", "galv-constructs", "jsii"} & names
    assert megabytes < 40


@pytest.mark.slow
def test_the_operators_command_runs_with_the_oldest_that_it_allows(
    ops_alone: Callable[..., Path],
) -> None:
    venv = ops_alone("--resolution=lowest-direct")

    said = run(venv / "bin" / "galv-ops", "--version")

    assert re.fullmatch(r"galv-ops, version \S+\n", said)


@pytest.mark.slow
@pytest.mark.parametrize(("app", "stacks"), [("galv-app", 4), ("platform-app", 5)])
def test_synthesizes_an_example(
    user: Mapping[str, str], tmp_path: Path, app: str, stacks: int
) -> None:
    """Templates name assets by their content: with equal ones the handlers are there too."""
    project = {name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"}

    found = synthesized(app, tmp_path / "wheel", user)

    assert len(found) == stacks
    # Preflight is told which version of the library asks; a checkout has none.
    released = {
        name: template.replace('"Version": "0.0.0"', '"Version": "source"')
        for name, template in found.items()
    }
    assert released == synthesized(app, tmp_path / "source", project)


@pytest.mark.slow
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


@pytest.mark.slow
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
