"""GitHub's workflows, as .projenrc.py has them written: build, galv, upgrade and release."""

from collections.abc import Sequence

from projen import JsonPatch, TaskStep
from projen.github import (
    ConcurrencyOptions,
    GitHub,
    GithubWorkflow,
    PullRequestPatchSource,
    WorkflowActions,
    WorkflowJobs,
)
from projen.github.workflows import (
    CronScheduleOptions,
    Job,
    JobMatrix,
    JobPermission,
    JobPermissions,
    JobStep,
    JobStepOutput,
    JobStrategy,
    PullRequestOptions,
    PushOptions,
    WorkflowDispatchOptions,
)
from projen.python import PythonProject
from projen.release import Release, ReleaseTrigger

RUNNER = ["ubuntu-latest"]
# The parts of .ci/run, each a job, so that a pull request shows which one failed.
PARTS = ["static", "synth", "package", "generated"]
ROOT_PARTS = ["test", "slow", "e2e", "ops", "galv"]

# The commits that these tags were: a tag can be moved to other code, a commit cannot.
PINS = {
    "actions/checkout": "3d3c42e5aac5ba805825da76410c181273ba90b1",  # v7.0.1
    "actions/download-artifact": "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c",  # v8.0.1
    "actions/setup-node": "820762786026740c76f36085b0efc47a31fe5020",  # v7.0.0
    "actions/setup-python": "5fda3b95a4ea91299a34e894583c3862153e4b97",  # v7.0.0
    "peter-evans/create-pull-request": "5f6978faf089d4d20b00c7766989d076bb2fc7f1",  # v8.1.1
    "pypa/gh-action-pypi-publish": "cef221092ed1bacb1cc03d23a2d87d1d172e277b",  # v1.14.0
}

# All that the action for PyPI needs.
_TOKEN_ALONE = {"id-token": "write"}
# As projen asks it in its own jobs.
_IS_NEW = (
    "needs.release.outputs.tag_exists != 'true' && "
    "needs.release.outputs.latest_commit == github.sha"
)
# projen would begin with 0.0.0.
NEXT_VERSION = '[ -n "$LATEST_TAG" ] || echo 0.1.0'


def add_workflows(project: PythonProject, pythons: Sequence[str]) -> None:
    """Add all workflows to a project that runs on these versions of Python."""
    github = project.github
    if github is None:
        raise ValueError("workflows need a project with github=True")
    for action, commit in PINS.items():
        github.actions.set(action, f"{action}@{commit}")
    _add_build(github, pythons)
    _add_galv(github, pythons[0])
    _add_upgrade(github, pythons[0])
    _add_release(project, github, pythons[0])


def _job(
    python: str,
    *commands: str,
    tags: bool = False,
    ref: str | None = None,
    strategy: JobStrategy | None = None,
    outputs: dict[str, JobStepOutput] | None = None,
    then: Sequence[JobStep] = (),
) -> Job:
    """A job that may read the repository. Its commands set themselves up."""
    checkout: dict[str, object] = {"persist-credentials": False}
    if tags:
        checkout["fetch-depth"] = 0
    if ref:
        checkout["ref"] = ref
    return Job(
        runs_on=RUNNER,
        permissions=JobPermissions(contents=JobPermission.READ),
        strategy=strategy,
        outputs=outputs,
        steps=[
            JobStep(id="checkout", uses="actions/checkout", with_=checkout),
            JobStep(id="python", uses="actions/setup-python", with_={"python-version": python}),
            *(JobStep(id=f"run-{number}", run=run) for number, run in enumerate(commands, 1)),
            *then,
        ],
    )


def _add_build(github: GitHub, pythons: Sequence[str]) -> None:
    """The workflow that a pull request has to pass, with notes for its reviewer."""
    workflow = GithubWorkflow(
        github,
        "build",
        limit_concurrency=True,
        concurrency_options=ConcurrencyOptions(
            group="${{ github.workflow }}-${{ github.ref }}", cancel_in_progress=True
        ),
    )
    workflow.on(
        pull_request=PullRequestOptions(),
        push=PushOptions(branches=["develop", "main"]),
        workflow_dispatch=WorkflowDispatchOptions(),
    )
    matrix = JobMatrix(domain={"python": list(pythons)})
    workflow.add_jobs(
        {
            **{part: _job(pythons[0], f"bash .ci/run {part}") for part in PARTS},
            # Networks of containers and the database take root.
            **{
                part: _job(pythons[0], f'sudo env "PATH=$PATH" bash .ci/run {part}')
                for part in ROOT_PARTS
            },
            "python": _job(
                "${{ matrix.python }}",
                "python3 tools/setup.py pytest",
                strategy=JobStrategy(fail_fast=False, matrix=matrix),
            ),
            "lowest": _job(pythons[0], "python3 tools/setup.py python tools/versions.py lowest"),
            "newest": _job(pythons[-1], "python3 tools/setup.py python tools/versions.py newest"),
            "since-release": _job(
                pythons[0],
                "python3 tools/setup.py python tools/api_diff.py",
                "python3 tools/setup.py python tools/template_diff.py"
                ' | tee -a "$GITHUB_STEP_SUMMARY"',
                tags=True,
            ),
        }
    )


def _add_galv(github: GitHub, python: str) -> None:
    """Galv's newest releases and its branches under the example's templates, once a week."""
    workflow = GithubWorkflow(github, "galv", limit_concurrency=True)
    workflow.on(
        schedule=[CronScheduleOptions(cron="0 4 * * 2")],
        workflow_dispatch=WorkflowDispatchOptions(),
    )
    workflow.add_jobs(
        {
            name: _job(python, f"bash .ci/galv {which}")
            for name, which in (("releases", "tag"), ("branches", "branch"))
        }
    )


def _add_upgrade(github: GitHub, python: str) -> None:
    """The newest version of every dependency, as a pull request a week."""
    workflow = GithubWorkflow(github, "upgrade", limit_concurrency=True)
    workflow.on(
        schedule=[CronScheduleOptions(cron="0 3 * * 1")],
        workflow_dispatch=WorkflowDispatchOptions(),
    )
    title = "build: upgrade dependencies"
    workflow.add_jobs(
        {
            # What is downloaded runs in a job that may write nothing.
            "upgrade": _job(
                python,
                "npm run upgrade",
                "npm run projen",
                ref="develop",
                then=WorkflowActions.upload_git_patch(step_id="changes", output_name="changed"),
                outputs={"changed": JobStepOutput(step_id="changes", output_name="changed")},
            ),
            "pull-request": WorkflowJobs.pull_request_from_patch(
                patch=PullRequestPatchSource(
                    job_id="upgrade", output_name="changed", ref="develop"
                ),
                workflow_name="upgrade",
                pull_request_title=title,
                pull_request_description="The newest versions that the declarations allow.",
                base_branch="develop",
                branch_name="upgrade",
                credentials=github.projen_credentials,
                runs_on=RUNNER,
            ),
        }
    )
    _keep_no_credentials(workflow, "pull-request", ref="develop")


def _add_release(project: PythonProject, github: GitHub, python: str) -> None:
    """A version, a tag on main and PyPI, from conventional commits, when someone asks for it."""
    release = Release(
        project,
        branch="main",
        version_file="package.json",
        artifacts_directory="dist",
        tasks=[project.build_task],
        release_trigger=ReleaseTrigger.workflow_dispatch(),
        release_workflow_setup_steps=[
            JobStep(id="python", uses="actions/setup-python", with_={"python-version": python})
        ],
        workflow_permissions=JobPermissions(contents=JobPermission.READ),
        workflow_runs_on=RUNNER,
        next_version_command=NEXT_VERSION,
        bump_package="commit-and-tag-version@13.2.1",
        jsii_release_version="0.2.1061",
    )
    release.publisher.publish_to_py_pi(trusted_publishing=True, github_environment="pypi")
    workflow = github.try_find_workflow("release")
    task = project.tasks.try_find("release")
    if workflow is None or task is None:
        raise ValueError("projen named the workflow or the task of a release otherwise")
    _keep_no_credentials(workflow, "release", **{"fetch-depth": 0})
    _publish_by_the_official_action(github, workflow)
    # After "rm" and "bump", which says what the version is.
    task.insert_step(2, TaskStep(exec="python tools/release_check.py"))
    task.exec("python tools/template_diff.py >> dist/changelog.md")


def _publish_by_the_official_action(github: GitHub, workflow: GithubWorkflow) -> None:
    """Let the jobs that can get a token of PyPI upload what another built, and run nothing else.

    projen's job runs a program from npm. The action also signs what it uploads, with attestations:
    https://docs.pypi.org/attestations/producing-attestations/

    Each distribution has a job of its own, in an environment of its own: before its first release
    PyPI knows a publisher by repository, workflow and environment alone, for one project:
    https://github.com/pypi/warehouse/issues/16920
    """
    if workflow.file is None:
        raise ValueError("projen writes the workflow of a release otherwise")
    constructs = "/jobs/release_pypi"
    ops = {
        "name": "Publish galv-ops to PyPI",
        "needs": "release",
        "runs-on": RUNNER[0],
        "permissions": _TOKEN_ALONE,
        "environment": "pypi-galv-ops",
        "if": _IS_NEW,
        "steps": _upload(github, "galv-ops"),
    }
    workflow.file.patch(
        JsonPatch.add("/jobs/release_pypi_galv-ops", ops),
        # The extra `ops` asks for galv-ops of the same version.
        JsonPatch.replace(f"{constructs}/needs", ["release", "release_pypi_galv-ops"]),
        JsonPatch.replace(f"{constructs}/permissions", _TOKEN_ALONE),
        JsonPatch.test(f"{constructs}/if", _IS_NEW),
        JsonPatch.replace(f"{constructs}/steps", _upload(github, "galv-constructs")),
    )


def _upload(github: GitHub, distribution: str) -> list[dict[str, object]]:
    return [
        {
            "name": "Download build artifacts",
            "uses": github.actions.get("actions/download-artifact"),
            "with": {"artifact-ids": "${{ needs.release.outputs.artifact_id }}", "path": "dist"},
        },
        {
            "name": "Release",
            "if": "${{ !inputs.dry_run }}",
            "uses": github.actions.get("pypa/gh-action-pypi-publish"),
            "with": {"packages-dir": f"dist/{distribution}", "attestations": True},
        },
    ]


def _keep_no_credentials(workflow: GithubWorkflow, job: str, **checkout: object) -> None:
    """Let what runs after a checkout of projen's own not find the token that it used."""
    workflow.patch_step(job, "checkout", with_={**checkout, "persist-credentials": False})
