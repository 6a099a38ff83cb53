"""Commands of GitHub jobs that can get a token: only those of locked packages are allowed."""

import re

from templates import Json

# What such a job may run to install something, and nothing else of pip, npm and the like.
LOCKED = (
    "python -m pip install --require-hashes ",
    "npm ci --ignore-scripts",
    "npx --no-install cdk ",
)
INSTALLER = re.compile(
    r"\b(?:bunx?|conda|corepack|curl|easy_install|gem|npm|npx|pip3?|pipx|pnpm|poetry|uv|uvx|wget"
    r"|yarn)\b.*"
)
# Actions whose code is AWS's, GitHub's or the Python Packaging Authority's, by their commits.
TRUSTED_ACTION = re.compile(r"(?:actions|aws-actions|pypa)/[\w./-]+@[0-9a-f]{40}")


def can_get_a_token(job: Json, workflow: Json) -> bool:
    """Whether AWS, PyPI and others would believe the job that it is the repository."""
    permissions: object = job.get("permissions", workflow.get("permissions", "write-all"))
    return permissions == "write-all" or "id-token" in str(permissions)


def unlocked(workflow: Json) -> list[str]:
    """Find unlocked installs and foreign programs in the jobs that can get a token."""
    steps = [
        step
        for job in workflow["jobs"].values()
        if can_get_a_token(job, workflow)
        for step in job["steps"]
    ]
    lines = [line.strip() for step in steps for line in step.get("run", "").splitlines()]
    return [
        *(
            line
            for line in lines
            if INSTALLER.search(line) and not any(allowed in line for allowed in LOCKED)
        ),
        *(
            step["uses"]
            for step in steps
            if "uses" in step and not TRUSTED_ACTION.fullmatch(step["uses"])
        ),
    ]
