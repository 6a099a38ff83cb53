"""`galv-ops preflight`: what a deployment would fail for, before there is one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from galv_ops.answers import AWS_ERRORS, error_code
from galv_ops.assembly import Template, UnknownValueError, templates
from galv_ops.command import Ops, command
from galv_ops.errors import COULD_NOT, FAILED, USAGE, OpsError
from galv_ops.output import Line, Styled
from galv_ops.preflight.ask import ask, leave_out
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.room import without_room
from galv_ops.preflight.shared_quotas import summed
from galv_ops.preflight.world import World
from galv_ops.query.aws import Aws

_TYPE = "Custom::GalvPreflight"
# Seconds, as in a deployment.
_PATIENCE = 60
# A stack of a change set that was never executed, and one that can only be deleted.
_WITHOUT_RESOURCES = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
_COLORS = {"error": "red", "unanswered": "yellow", "warning": "yellow"}
_WIDTH = max(map(len, _COLORS))
_INDENT = " " * (_WIDTH + 2)


@dataclass
class _Answers:
    """The questions of one stack, and their findings."""

    stack: str
    aws: Aws
    questions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """Why a question was not asked, or not all of it, by its id."""
    way_out: str = ""
    """The way to deploy in spite of errors that are false."""

    @property
    def asked(self) -> int:
        return len(self.questions)


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
    and changes nothing. Exits with 1 if the deployment would fail, and otherwise with 125 if a
    question got no answer, such as one that AWS denies. Says which questions it did not ask: those
    that only a deployment can, and quotas and free addresses of stacks that exist.
    """
    meant = [one for one in templates(app) if ops.stack in (None, one.stack)]
    if not meant:
        raise OpsError(
            f"{app} has no stack {ops.stack}" if ops.stack else f"{app} has no stack", USAGE
        )
    answers = [_questions_of(ops, template) for template in meant if template.resources(_TYPE)]
    _sum_quotas(answers)
    for one in answers:
        _ask(ops, one)
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
    severities = {finding.severity for one in answers for finding in one.found}
    if "error" in severities:
        return FAILED
    return COULD_NOT if "unanswered" in severities else 0


def _questions_of(ops: Ops, template: Template) -> _Answers:
    """Return the questions of one stack that can be asked."""
    aws = ops.aws.in_region(template.region) if template.region else ops.aws
    account = str(aws.client("sts").get_caller_identity()["Account"])
    if template.account not in ("", account):
        raise OpsError(
            f"{template.stack} is for the account {template.account}, and your credentials are for "
            f"{account}: pass --profile with one of that account"
        )
    made = _Answers(template.stack, aws)
    state = _state(aws, template.stack)
    questions: dict[str, Mapping[str, Any]] = {}
    for check, question in _questions(template):
        # A stack that is not there has no resources of its own that could be in the way.
        asked = question if state.may_exist else _without_stack(question)
        try:
            asked = _with_function(aws, template, asked, state)
            questions[check] = template.value(
                asked, account=account, region=aws.region, stack_id=state.id
            )
        except UnknownValueError as error:
            made.left[check] = str(error)
    if state.may_exist:
        rest = without_room(questions)
        for check, question in questions.items():
            if rest.get(check) != question:
                what = "free addresses" if check in rest else "the quota"
                made.left[check] = f"{what}, because {state.why}"
        questions = rest
    made.questions = questions
    made.found += state.unanswered
    return made


def _sum_quotas(stacks: list[_Answers]) -> None:
    """Let the first stack of a region ask for the quotas that others need too."""
    for region in {one.aws.region for one in stacks}:
        here = [one for one in stacks if one.aws.region == region]
        total = summed(
            {f"{one.stack} {check}": asks for one in here for check, asks in one.questions.items()}
        )
        for one in here:
            one.questions = {check: total[f"{one.stack} {check}"] for check in one.questions}


def _ask(ops: Ops, one: _Answers) -> None:
    """Ask the questions of one stack."""
    ops.out.progress(f"{one.stack}: {one.asked} questions", passing=True)
    world = World(region=one.aws.region, session=one.aws.session)
    one.found += ask(one.questions, world, _PATIENCE)
    errors = [finding for finding in one.found if finding.severity == "error"]
    one.way_out = leave_out(one.questions, errors)


@dataclass(frozen=True)
class _State:
    """Whether a stack has resources already, which count against quotas and free addresses."""

    id: str = ""
    why: str = ""
    """The reason not to ask for room; empty if the stack does not exist."""
    unanswered: tuple[Finding, ...] = ()

    @property
    def may_exist(self) -> bool:
        return bool(self.why)


def _state(aws: Aws, name: str) -> _State:
    """Return whether a stack exists. Without permission to see it, it may."""
    try:
        (found,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except AWS_ERRORS as error:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
        if error_code(error) == "ValidationError":
            return _State()
        why = "the stack may exist already, and AWS does not tell"
        fix = "allow cloudformation:DescribeStacks"
        return _State(why=why, unanswered=(Finding("Stack", "unanswered", why, str(error), fix),))
    if found["StackStatus"] in _WITHOUT_RESOURCES:
        return _State()
    return _State(found["StackId"], "the stack exists already, and what it has is counted too")


def _with_function(
    aws: Aws, template: Template, question: Mapping[str, Any], state: _State
) -> Mapping[str, Any]:
    """Return a question with the name of the function that it asks, where the stack has that.

    Raises:
        UnknownValueError: If it is not deployed yet.
    """
    made = template.content.get("Resources", {})
    match question.get("FunctionArn"):
        case {"Fn::GetAtt": [str(id), "Arn"]} | {"Ref": str(id)} if id in made:
            function = _deployed(aws, template.stack, id) if state.may_exist else ""
        case _:
            return question
    if not function:
        raise UnknownValueError("its function is not deployed yet")
    return {**question, "FunctionArn": function}


def _deployed(aws: Aws, stack: str, id: str) -> str:
    """Return the physical id of a resource; empty where there is none."""
    cloudformation = aws.client("cloudformation")
    try:
        found = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=id)
    except AWS_ERRORS as error:
        if error_code(error) == "ValidationError":
            return ""
        raise UnknownValueError(f"AWS does not tell its function: {error}") from error
    detail = found["StackResourceDetail"]
    if detail["ResourceStatus"] in ("CREATE_FAILED", "DELETE_COMPLETE"):
        return ""
    return str(detail.get("PhysicalResourceId", ""))


def _without_stack(question: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in question.items() if name != "Stack"}


def _questions(template: Template) -> Iterator[tuple[str, Any]]:
    for properties in template.resources(_TYPE):
        yield from properties.get("Questions", {}).items()


def _lines(answers: list[_Answers]) -> Iterator[Line]:
    for one in answers:
        for finding in sorted(one.found, key=lambda finding: finding.severity):
            severity = Styled(finding.severity.ljust(_WIDTH), color=_COLORS[finding.severity])
            yield [severity, f"  {one.stack} {finding.check}: {finding.wrong}"]
            if finding.found:
                yield f"{_INDENT}Found: {finding.found}"
            yield f"{_INDENT}To do: {finding.fix}"
        if one.way_out:
            yield one.way_out
        for check, why in one.left.items():
            yield f"Not asked: {one.stack} {check}: {why}"
    asked = sum(one.asked for one in answers)
    said = Counter(finding.severity for one in answers for finding in one.found)
    yield (
        f"Asked: {asked}. Errors: {said['error']}. Unanswered: {said['unanswered']}. "
        f"Warnings: {said['warning']}."
    )
