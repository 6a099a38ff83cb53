"""The command `npm run galv`."""

import argparse
import datetime as dt
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from containers import why_not

from proof import compatibility, isolation
from proof.checkout import Backend
from proof.frontend import Frontend
from proof.pages import fetch_documentation
from proof.release import check_setup, check_status, check_validation
from proof.report import Report
from proof.site import RELEASE, check_site
from proof.templates import Assembly
from proof.web import check_web
from proof.world import World

_ROOT = Path(__file__).resolve().parents[2]
_EXAMPLE = _ROOT / "examples" / "galv-app"
_SLOW_SECONDS = 20


def parser() -> argparse.ArgumentParser:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="npm run galv --",
        description="Run a checkout of Galv under the tasks of synthesized templates.",
    )
    parser.add_argument("--backend", type=Path, required=True, help="checkout of galv-backend")
    parser.add_argument(
        "--frontend",
        type=Path,
        help="site: a checkout of galv-frontend, files that are built, or an archive of them",
    )
    parser.add_argument(
        "--templates",
        type=Path,
        help="cloud assembly (default: examples/galv-app is synthesized)",
    )
    parser.add_argument(
        "--python-env",
        type=Path,
        help="virtual environment with its requirements (default: one is created and kept)",
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="Python to create that environment with (default: the one that runs this)",
    )
    parser.add_argument(
        "--packages-before",
        metavar="DATE",
        help="take no package into it that is newer (default: the checkout's newest commit)",
    )
    parser.add_argument(
        "--record",
        metavar="WHAT",
        help="write a row into docs/compatibility.md: WHAT is what was run, as 'whole tree'",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON too")
    parser.add_argument(
        "--slow-seconds",
        type=int,
        default=_SLOW_SECONDS,
        help="how long each slow upload takes (default: %(default)s)",
    )
    parser.add_argument("--keep", action="store_true", help="keep logs and files, and say where")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options = parser().parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="galv-"))
    # The database runs as another user.
    folder.chmod(0o755)
    try:
        report = _run(options, folder)
    except (ValueError, RuntimeError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if options.keep:
            print(f"Everything is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(report.summary())
    if options.json:
        options.json.write_text(f"{report.to_json()}\n")
    if options.record:
        library = compatibility.library_version(_ROOT)
        today = dt.datetime.now(tz=dt.timezone.utc).date()
        cells = compatibility.row(report, what=options.record, library=library, day=today)
        compatibility.record(_ROOT / "docs" / "compatibility.md", cells)
    return 0 if report.ok else 1


def _run(options: argparse.Namespace, folder: Path) -> Report:
    """Look at everything."""
    if reason := isolation.why_not() or why_not():
        raise ValueError(reason)
    backend = Backend(folder=options.backend.resolve())
    backend.check(is_installed=options.python_env is not None)
    frontend = Frontend(path=options.frontend.resolve()) if options.frontend else None
    if frontend:
        frontend.check()
    if options.python_env:
        python = options.python_env.absolute() / "bin" / "python"
    else:
        python = backend.python(interpreter=options.python, before=options.packages_before)
    templates = _templates(options.templates).resolve()
    assembly = Assembly(templates)
    report = Report(versions={"backend": backend.version})
    documentation = None
    with report.check("pages", "npm has what the API's pages load from jsDelivr"):
        requirements = backend.folder / "requirements.txt"
        documentation = fetch_documentation(requirements, folder / "jsdelivr")
    # The last that may use the network.
    files = _site_files(frontend, assembly, templates, folder, report) if frontend else None
    with World(
        assembly,
        application=backend.application,
        python=python,
        folder=folder,
        documentation=documentation,
    ) as world:

        def check_frontend() -> None:
            if files:
                check_site(world, report, files, templates)

        check_setup(world, report)
        check_web(world, report, slow_seconds=options.slow_seconds, while_it_runs=check_frontend)
        check_validation(world, report)
        check_status(world, report)
    return report


def _site_files(
    frontend: Frontend, assembly: Assembly, templates: Path, folder: Path, report: Report
) -> Path | None:
    """Return the files of the site, whose build needs the network."""
    report.versions["frontend"] = frontend.version
    _, release = next(assembly.of_type(RELEASE))
    build = folder / "build"
    build.mkdir()
    with report.check("site", "the steps of the build write the files") as fact:
        fact.detail = frontend.how
        return frontend.files(templates, release["Inputs"]["Environment"], build)
    return None


def _templates(given: Path | None) -> Path:
    """Return the assembly, synthesized if none is given."""
    if given is not None:
        return Path(given)
    assembly = _EXAMPLE / "cdk.out"
    done = subprocess.run(
        [sys.executable, _ROOT / "tools" / "synth.py"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the example could not be synthesized:\n{done.stderr}")
    return assembly
