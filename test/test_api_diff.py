"""The public API against that of the last release."""

import shutil
import subprocess
from pathlib import Path

import api_diff
import api_doc
import griffe
import pytest
import releases

SOURCE = releases.ROOT / "src"
BACKEND = "backend/backend"


@pytest.fixture(scope="module")
def released() -> griffe.Module:
    return api_doc.load(SOURCE)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ((BACKEND, "        cpu: int = 512", "        cpu: int = 256"), "`512` -> `256`"),
        (
            (BACKEND, "        min_tasks: int = 1,\n", ""),
            "(min_tasks)`: *Parameter was removed*",
        ),
        (
            (BACKEND, "min_tasks: int = 1", "min_tasks: int"),
            "*Parameter is now required*",
        ),
        (
            (BACKEND, "def vpc(", "def the_vpc("),
            "`GalvBackend.vpc`: *Public object was removed*",
        ),
        (("network", "PUBLIC =", "OPEN ="), "`NetworkPreset.PUBLIC`: *Public object was removed*"),
        (("__init__", '    "GalvMail",\n', ""), "`GalvMail`: *Public name was removed*"),
        (
            (BACKEND, "min_tasks: int = 1", "some_tasks: int = 1, min_tasks: int = 1"),
            None,
        ),
        ((BACKEND, "def _warn(", "def _tell("), None),
    ],
)
def test_finds_breaking_changes(
    released: griffe.Module, tmp_path: Path, edit: tuple[str, str, str], says: str | None
) -> None:
    file, old, new = edit
    shutil.copytree(
        SOURCE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    changed = tmp_path / "galv_constructs" / f"{file}.py"
    assert old in changed.read_text()
    changed.write_text(changed.read_text().replace(old, new))

    found = api_diff.breaks(released, api_doc.load(tmp_path))

    assert [says in line for line in found] == [True] if says else found == []


class TestSinceARelease:
    """In a repository with one release, whose only name is gone."""

    @pytest.fixture(autouse=True)
    def repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = tmp_path / "src" / "galv_constructs"
        package.mkdir(parents=True)
        (tmp_path / "examples").mkdir()
        (tmp_path / "examples" / "app.py").touch()
        (package / "__init__.py").write_text('Thing: int = 1\n"""It."""\n__all__ = ["Thing"]\n')
        monkeypatch.setattr(releases, "ROOT", tmp_path)
        monkeypatch.setattr(api_diff, "ROOT", tmp_path)
        monkeypatch.setattr("sys.argv", ["api_diff"])
        for name in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{name}_NAME", "x")
            monkeypatch.setenv(f"GIT_{name}_EMAIL", "x@example.com")
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
        self.package = package
        self.commit("feat: a thing")

    def commit(self, message: str) -> None:
        releases.git("add", "--all")
        releases.git("commit", "--quiet", "--no-gpg-sign", "--message", message)

    def remove(self, message: str) -> None:
        (self.package / "__init__.py").write_text("__all__ = []\n")
        self.commit(message)

    def test_says_that_there_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert api_diff.main() == 0
        assert "nothing has been released yet" in capsys.readouterr().out

    def test_finds_the_newest(self) -> None:
        for tag in ("v0.9.0", "v0.10.0", "other"):
            releases.git("tag", tag)

        assert releases.last_release() == "v0.10.0"

    def test_finds_no_breaking_change(self, capsys: pytest.CaptureFixture[str]) -> None:
        releases.git("tag", "v1.0.0")

        assert api_diff.main() == 0
        assert "since v1.0.0:\nNothing breaks." in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ("refactor: less", 1),
            ("fix(thing): breaks nothing!", 1),
            ("feat!: no thing", 0),
            ("feat(thing)!: no thing", 0),
            ("feat: no thing\n\nBREAKING CHANGE: Thing is gone.", 0),
        ],
    )
    def test_refuses_a_break_that_no_commit_announces(
        self, message: str, code: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        releases.git("tag", "v1.0.0")
        self.remove(message)

        assert api_diff.main() == code
        assert "`Thing`: *Public name was removed*" in capsys.readouterr().out

    def test_a_break_that_was_released_is_none(self) -> None:
        self.remove("feat!: no thing")
        releases.git("tag", "v2.0.0")

        assert api_diff.main() == 0
