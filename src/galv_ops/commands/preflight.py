"""`galv-ops preflight`: what a deployment would fail for, before there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from galv_ops.assembly import Template, UnknownValueError, templates
from galv_ops.command import Ops, command
from galv_ops.errors import FAILED, USAGE, OpsError
from galv_ops.output import Line, Styled
from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World

_TYPE = "Custom::GalvPreflight"
# Seconds, as in a deployment.
_PATIENCE = 60
_COLORS = {"error": "red", "warning": "yellow"}
_INDENT = "         "


@dataclass
class _Answers:
    """What was asked of one stack, and what came of it."""

    stack: str
    asked: int = 0
    found: list[Finding] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """Why a question was not asked, by its id."""


@command("preflight")
@click.option(
    "--app",
    type=click.Path(path_type=Path),
    default=Path("cdk.out"),
    show_default=True,
    help="Folder that `cdk synth` wrote.",
)
def preflight(ops: Ops, *, app: Path) -> int:
    """Ask what a deployment asks before it creates anything, with your credentials.

    Reads the questions from the templates that `cdk synth` wrote, of all stacks or that of --stack,
    and changes nothing. Exits with 1 if the deployment would fail. Says which questions only a
    deployment can ask.
    """
    meant = [one for one in templates(app) if ops.stack in (None, one.stack)]
    if not meant:
        raise OpsError(
            f"{app} has no stack {ops.stack}" if ops.stack else f"{app} has no stack", USAGE
        )
    answers = [_answers(ops, template) for template in meant if template.resources(_TYPE)]
    ops.out.result(
        {
            "asked": sum(one.asked for one in answers),
            "findings": [
                {"stack": one.stack, **asdict(finding)} for one in answers for finding in one.found
            ],
            "notAsked": [
                {"stack": one.stack, "check": check, "why": why}
                for one in answers
                for check, why in one.left.items()
            ],
        },
        list(_lines(answers)),
    )
    wrong = any(finding.severity == "error" for one in answers for finding in one.found)
    return FAILED if wrong else 0


def _answers(ops: Ops, template: Template) -> _Answers:
    """Ask the questions of one stack."""
    aws = ops.aws.in_region(template.region) if template.region else ops.aws
    account = str(aws.client("sts").get_caller_identity()["Account"])
    if template.account not in ("", account):
        raise OpsError(
            f"{template.stack} is for the account {template.account}, and your credentials are for "
            f"{account}: pass --profile with one of that account"
        )
    made = _Answers(template.stack)
    questions: dict[str, Mapping[str, Any]] = {}
    for check, question in _questions(template):
        try:
            questions[check] = template.value(question, account=account, region=aws.region)
        except UnknownValueError as error:  # noqa: PERF203 - the others are asked all the same
            made.left[check] = str(error)
    ops.out.progress(f"{template.stack}: {len(questions)} questions", passing=True)
    made.asked = len(questions)
    made.found = ask(questions, World(region=aws.region, session=aws.session), _PATIENCE)
    return made


def _questions(template: Template) -> Iterator[tuple[str, Any]]:
    for properties in template.resources(_TYPE):
        yield from properties.get("Questions", {}).items()


def _lines(answers: list[_Answers]) -> Iterator[Line]:
    for one in answers:
        for finding in sorted(one.found, key=lambda finding: finding.severity):
            severity = Styled(finding.severity.ljust(7), color=_COLORS[finding.severity])
            yield [severity, f"  {one.stack} {finding.check}: {finding.wrong}"]
            if finding.found:
                yield f"{_INDENT}Found: {finding.found}"
            yield f"{_INDENT}To do: {finding.fix}"
        for check, why in one.left.items():
            yield f"Not asked: {one.stack} {check}: {why}"
    asked = sum(one.asked for one in answers)
    errors = sum(finding.severity == "error" for one in answers for finding in one.found)
    warnings = sum(len(one.found) for one in answers) - errors
    yield f"Asked: {asked}. Errors: {errors}. Warnings: {warnings}."
