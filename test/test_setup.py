"""What stands between a fresh clone and its commands: tools/setup.py."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import setup

ROOT = Path(__file__).parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose environments are fresh."""
    for file in (Path(setup.__file__), setup.LOCK, *setup.NODE_LOCKS):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path / "tools")!r})
import setup
for folder, group in ((setup.VENV, "synth"), (setup.VENV, "dev"), (setup.NODE_MODULES, "npm")):
    folder.mkdir(exist_ok=True)
    (folder / f".stamp-{{group}}").write_text(setup.fingerprint())
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=100)
    return tmp_path


def run(clone: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, clone / "tools" / "setup.py", *command],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_a_fresh_environment_runs_the_command_at_once(clone: Path) -> None:
    done = run(clone, "sh", "-c", "echo $VIRTUAL_ENV")

    assert done.stdout == f"{clone / '.venv'}\n"


@pytest.mark.parametrize("name", [".venv", "node_modules"])
def test_refuses_to_install_through_a_symbolic_link(name: str, clone: Path) -> None:
    (clone / name).rename(clone / "elsewhere")
    (clone / name).symlink_to("elsewhere")

    done = run(clone, "true")

    assert done.returncode == 1
    assert f"{name} is a symbolic link, to what another clone may use: remove it" in done.stderr


def test_waits_for_another_set_up_of_the_clone(clone: Path) -> None:
    """What the first has installed the second finds."""
    stamp = clone / ".venv" / ".stamp-dev"
    text = stamp.read_text()
    stamp.write_text("other")
    with (clone / "tools" / "setup.py").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = [sys.executable, str(clone / "tools" / "setup.py"), "echo", "ready"]
        second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
        stamp.write_text(text)

    assert second.communicate(timeout=100)[0] == "ready\n"


def test_refuses_a_package_that_the_lock_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "constraints.txt"
    lock.write_text("click==8.1.0 \\\n    --hash=sha256:0a1b\n")
    installed = ["click==8.1.0\npip==25.0\n", "click==8.1.0\nleft-pad==1.3.0\npip==25.0\n"]
    monkeypatch.setattr(setup, "locked", partial(setup.locked, lock))
    monkeypatch.setattr(
        setup, "run", lambda *command: installed.pop(0) if "freeze" in command else ""
    )

    setup.install(tmp_path, "dev")
    with pytest.raises(SystemExit, match=r"constraints\.txt lacks left-pad: "):
        setup.install(tmp_path, "dev")


@pytest.mark.parametrize(
    ("variables", "index"),
    [
        ({}, "https://pip.example.com/simple"),
        ({"UV_DEFAULT_INDEX": "https://uv.example.com/simple"}, "https://uv.example.com/simple"),
    ],
    ids=["of pip", "of uv"],
)
def test_uv_looks_where_pip_does_unless_it_is_told(
    variables: dict[str, str], index: str, clone: Path
) -> None:
    (clone / ".venv" / ".index").write_text("https://pip.example.com/simple\n")

    done = run(clone, "sh", "-c", "echo $UV_DEFAULT_INDEX", **variables)

    assert done.stdout == f"{index}\n"


def test_there_are_few_scripts_and_each_is_said() -> None:
    scripts = json.loads((ROOT / "package.json").read_text())["scripts"]
    said = (ROOT / "CONTRIBUTING.md").read_text()

    assert len(scripts) <= 12
    assert [name for name in scripts if f"npm run {name}" not in said and name != "test"] == []
