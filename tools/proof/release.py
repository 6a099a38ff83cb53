"""Checks of the tasks that run to an end."""

import json
import re
from collections.abc import Sequence

from containers import Container

from proof.report import Report, Skip
from proof.world import World

_PATIENCE = 900
_LINES = 12


class TaskError(AssertionError):
    """A task ended with another exit code than it should."""


def run(container: Container, *, expected: Sequence[int] = (0,)) -> str:
    """Run a container to its end, and return what it wrote."""
    with container:
        code = container.wait(timeout=_PATIENCE)
    output = container.output()
    if code not in expected:
        last = "\n".join(output.rstrip().splitlines()[-_LINES:])
        raise TaskError(f"exit code {code}, last lines:\n{last}")
    return output


def check_setup(world: World, report: Report) -> None:
    """The release's steps, on an empty database and on a full one."""
    with report.check("setup", "the first release's steps succeed"):
        output = run(world.container("setup-db", environment={"GALV_RELEASE_EVENT": "Create"}))
    with report.check("setup", "each migration is applied") as fact:
        databases = world.database.databases_with("django_migrations")
        count = [world.database.query("SELECT count(*) FROM django_migrations", database)[0][0]
                 for database in databases]  # fmt: skip
        if not databases:
            raise AssertionError("no database has the table django_migrations")
        fact.detail = f"{count[0]} in database {databases[0]}"
    with report.check("setup", "static files are in their bucket") as fact:
        bucket = world.static_bucket or world.media_bucket
        keys = [
            one["Key"]
            for page in world.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            for one in page.get("Contents", [])
        ]
        if not any(key.startswith("static/admin/") for key in keys):
            raise AssertionError(f"{len(keys)} files in {bucket}, none of them static/admin/…")
        fact.detail = f"{len(keys)} files"
    with report.check("setup", "the next release's steps succeed, and do nothing twice") as fact:
        output = run(world.container("setup-db", environment={"GALV_RELEASE_EVENT": "Update"}))
        if "No migrations to apply" not in output:
            raise AssertionError("migrations were applied a second time")
    with report.check("setup", "a migration that cannot be applied fails the task") as fact:
        container = world.container("setup-db", secrets={world.master_password: "wrong"})
        output = run(container, expected=(1,))
        fact.detail = next(iter(re.findall(r".*authentication failed.*", output)), "")


def check_validation(world: World, report: Report) -> None:
    """The scheduled task."""
    with report.check("validation", "the scheduled task succeeds"):
        if world.assembly.task("validation-monitor") is None:
            raise Skip("the templates have no such task")
        run(world.container("validation-monitor"))
    with report.check("validation", "no validation ends in an error") as fact:
        databases = world.database.databases_with("galv_schemavalidation")
        if not databases:
            raise Skip("no table galv_schemavalidation")
        rows = world.database.query(
            "SELECT status, count(*) FROM galv_schemavalidation GROUP BY 1 ORDER BY 1", databases[0]
        )
        fact.detail = ", ".join(f"{count} {status}" for status, count in rows)
        if any(status == "ERROR" for status, _ in rows):
            raise AssertionError(fact.detail)


def check_status(world: World, report: Report) -> None:
    """The task that says whether services can be reached."""
    with report.check("check_status", "succeeds, and shows a table") as fact:
        output = run(world.container("check-status"))
        fact.detail = "; ".join(line for line in output.splitlines() if "OK" in line)
    with report.check("check_status", "has --json") as fact:
        task = world.assembly.task("check-status") or {"ContainerDefinitions": [{}]}
        command = [*task["ContainerDefinitions"][0].get("Command", []), "--json"]
        output = run(world.container("check-status", command=command))
        found = json_of(output)
        fact.detail = ", ".join(f"{one['check']} {one['status']}" for one in found)
        if any(one["status"] == "ERROR" for one in found):
            raise AssertionError(fact.detail)
    with report.check("check_status", "fails without the database") as fact:
        container = world.container("check-status", secrets={"POSTGRES_PASSWORD": "wrong"})
        _refuse_unknown(run(container, expected=(1,)))
    with report.check("check_status", "fails when mail is refused") as fact:
        secrets = {"DJANGO_EMAIL_HOST_PASSWORD": "wrong"}
        if "DJANGO_EMAIL_HOST_PASSWORD" not in world.secrets:
            raise Skip("the templates send no mail")
        _refuse_unknown(run(world.container("check-status", secrets=secrets), expected=(1,)))


def json_of(output: str) -> list[dict[str, str]]:
    """Return the list that is printed among other lines."""
    for match in re.finditer(r"^\[\s*\{", output, re.MULTILINE):
        found: list[dict[str, str]] = json.JSONDecoder().raw_decode(output[match.start() :])[0]
        return found
    raise AssertionError(f"no JSON in: {output[-300:]}")


def _refuse_unknown(output: str) -> None:
    """Refuse a failure that is one for another reason."""
    if "Unknown command" in output:
        raise AssertionError("Django does not know the command")
