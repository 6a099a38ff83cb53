"""List every acknowledged finding, with its reason, from the constructs themselves.

`npm run generate` writes the table in docs/security.md; with `--check` it only says whether that
is up to date.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_certificatemanager as acm
from constructs import IConstruct
from example import CONTEXT
from marked import put_between

from galv_constructs import GalvDeployRole, GalvFrontend, GalvLogBucket, GitHubSubject

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- acknowledgements: begin -->", "<!-- acknowledgements: end -->"

# Together these have every acknowledgement of the library's.
SHAPES: list[dict[str, object]] = [
    {},
    {
        "isProduction": False,
        "networkPreset": "natInstance",
        "awakeHours": "Mon-Fri 07:00-19:00",
    },
    {"removalProtection": False, "networkPreset": "public"},
    {"databaseSnapshot": "before", "backupDays": 35},
]

PREFIX = "Annotation::"
# Packs that share rules, each under a name of its own.
STANDARDS = ("HIPAA.Security-", "NIST.800.53.R5-", "PCI.DSS.321-")

Reasons = Mapping[tuple[str, str], set[str]]


def acknowledged(root: IConstruct) -> Iterable[tuple[str, str, str]]:
    """Yield rule, reason and place of each acknowledgement below a construct."""
    for construct in root.node.find_all():
        for entry in construct.node.metadata:
            if entry.type == "aws:cdk:acknowledged-rules":
                for id, reason in entry.data.items():
                    # What CDK acknowledges by itself has another prefix.
                    if id.startswith(PREFIX):
                        yield _rule(id), reason, _place(construct)


def _rule(id: str) -> str:
    """The rule without CDK's prefix, the pack, and the resource that was found."""
    rule = re.sub(r"\[.*\]$", "", id.removeprefix(PREFIX), flags=re.DOTALL)
    for standard in STANDARDS:
        rule = rule.removeprefix(standard)
    return rule


def _place(construct: IConstruct) -> str:
    """Where a construct is, without the stack and what an L2 construct is made of."""
    path = "/".join(construct.node.path.split("/")[1:])
    path = re.sub(r"/(Resource|Default)$", "", path)
    # A rule is named after both security groups.
    path = re.sub(r"/(from|to) [^/]+$", "", path)
    # CDK's own functions, one for a stack, are named by a hash.
    return re.sub(r"^LogRetention[0-9a-f]+", "LogRetention", path)


def all_reasons() -> Reasons:
    """Return the places of each acknowledgement, by rule and reason, in every shape."""
    places: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for app in _apps():
        # What is named after resources is acknowledged when CDK knows how the template spells them.
        app.synth()
        for rule, reason, place in acknowledged(app):
            places[rule, reason].add(place)
    return places


def _apps() -> Iterable[App]:
    """Yield the application in every shape, and the roles that deploy it."""
    from galv_app.stacks import add_stacks  # noqa: PLC0415 - needs the path

    for shape in SHAPES:
        app = App(context={"aws:cdk:bundling-stacks": [], **CONTEXT, **shape})
        add_stacks(app)
        yield app
    app = App()
    GalvDeployRole(
        Stack(app, "DeployRoleStack"),
        "DeployRole",
        subjects=[GitHubSubject.environment("octo-org/octo-repo", "production")],
        check_backends=["galv-BackendStack/Backend"],
    )
    yield app
    yield _in_an_opt_in_region()


def _in_an_opt_in_region() -> App:
    """The site where CloudFront delivers no logs."""
    app = App()
    region = "eu-central-2"
    stack = Stack(app, "OptIn", env=Environment(account="123456789012", region=region))
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
    GalvFrontend(
        stack,
        "Frontend",
        domain_name="app.example.com",
        api_url="https://api.example.com",
        certificate=acm.Certificate.from_certificate_arn(stack, "Certificate", arn),
        log_bucket=GalvLogBucket(stack, "Logs").bucket,
    )
    return app


def table(reasons: Reasons) -> str:
    """Return the table for the page: one row for each reason, with the rules it is given for."""
    rows: defaultdict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for (rule, reason), places in reasons.items():
        rows[reason][0].add(rule)
        rows[reason][1].update(places)
    lines = sorted(
        f"| {_code(rules)} | {_code(places)} | {reason} |"
        for reason, (rules, places) in rows.items()
    )
    return "\n".join(["| rule | where | reason |", "| --- | --- | --- |", *lines])


def _code(words: Iterable[str]) -> str:
    return "<br>".join(f"`{word}`" for word in sorted(words))


def updated(page: str, reasons: Reasons) -> str:
    """Return the page with a table of today."""
    return put_between(page, BEGIN, END, table(reasons))


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    old = PAGE.read_text()
    new = updated(old, all_reasons())
    if not check:
        PAGE.write_text(new)
    elif new != old:
        print("docs/security.md is out of date: run `npm run generate`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
