"""Draw the example's architecture from its synthesized templates.

`npm run generate` writes docs/images/architecture.svg; a test fails when it is out of date. Where a
box is, is written here; that there is something to draw, and what it says of itself, comes from the
templates. What is drawn of one type has to be all there is of it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

# Before jsii loads CDK: the templates are only read here.
os.environ["CDK_VALIDATION"] = "false"

from aws_cdk import App
from aws_cdk.assertions import Template
from example import CONTEXT

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

Json = Mapping[str, Any]
Resources = Mapping[str, Json]


@dataclass(frozen=True, kw_only=True)
class Box:
    """One or several resources of a type, where they are drawn and what is written on them."""

    kind: str
    """Type of the resources, without `AWS::`."""

    id: str = ""
    """Start of their logical ids."""

    title: str
    at: tuple[int, int]
    size: tuple[int, int] = (170, 54)
    look: Literal["edge", "task", "data", "other"] = "other"
    says: Callable[[list[Json], Resources], str]
    """The second line, from their properties and from all resources."""


def _words(text: str) -> Callable[[list[Json], Resources], str]:
    return lambda _found, _all: text


def _alias(found: list[Json], _all: Resources) -> str:
    return str(found[0]["DistributionConfig"]["Aliases"][0])


def _size(found: list[Json], _all: Resources) -> str:
    (task,) = found
    return f"{int(task['Cpu']) / 1024:g} vCPU, {int(task['Memory']) / 1024:g} GB"


def _web(found: list[Json], resources: Resources) -> str:
    (scaling,) = _all_of(resources, "ApplicationAutoScaling::ScalableTarget")
    return f"{scaling['MinCapacity']} to {scaling['MaxCapacity']} of {_size(found, resources)}"


def _load_balancer(_found: list[Json], resources: Resources) -> str:
    (web_acl,) = _all_of(resources, "WAFv2::WebACL")
    return f"HTTPS; WAF, {len(web_acl['Rules'])} rules"


def _database(found: list[Json], _all: Resources) -> str:
    (database,) = found
    standby = ", standby" if database["MultiAZ"] else ""
    return f"{database['EngineVersion']}, {database['DBInstanceClass']}{standby}"


def _identity(found: list[Json], _all: Resources) -> str:
    return str(found[0]["EmailIdentity"])


def _schedule(found: list[Json], _all: Resources) -> str:
    return str(found[0]["ScheduleExpression"])


def _count(word: str) -> Callable[[list[Json], Resources], str]:
    return lambda found, _all: f"{len(found)} {word}"


RIGHT = 870
TASKS = 345
BOXES = [
    Box(
        kind="CloudFront::Distribution",
        id="Frontend",
        title="CloudFront: site",
        at=(190, 36),
        look="edge",
        says=_alias,
    ),
    Box(
        kind="S3::Bucket",
        id="FrontendSite",
        title="S3: site",
        at=(430, 36),
        look="data",
        says=_words("read by CloudFront alone"),
    ),
    Box(
        kind="CodeBuild::Project",
        title="CodeBuild",
        at=(670, 36),
        says=_words("builds the site"),
    ),
    Box(
        kind="CloudFront::Distribution",
        id="BackendStatic",
        title="CloudFront: static",
        at=(190, 116),
        look="edge",
        says=_words("files of the API"),
    ),
    Box(
        kind="S3::Bucket",
        id="BackendStatic",
        title="S3: static files",
        at=(430, 116),
        look="data",
        says=_words("read by CloudFront alone"),
    ),
    Box(
        kind="ElasticLoadBalancingV2::LoadBalancer",
        title="Load balancer",
        at=(350, 248),
        size=(200, 54),
        look="edge",
        says=_load_balancer,
    ),
    Box(
        kind="EC2::NatGateway",
        title="NAT gateway",
        at=(610, 248),
        look="edge",
        says=_words("the tasks' way out"),
    ),
    Box(
        kind="ECS::TaskDefinition",
        id="BackendSetup",
        title="setup-db",
        at=(190, TASKS),
        size=(130, 54),
        look="task",
        says=_size,
    ),
    Box(
        kind="ECS::TaskDefinition",
        id="BackendWeb",
        title="web",
        at=(360, TASKS),
        size=(180, 54),
        look="task",
        says=_web,
    ),
    Box(
        kind="ECS::TaskDefinition",
        id="BackendCheckStatus",
        title="check-status",
        at=(552, TASKS),
        size=(118, 54),
        look="task",
        says=_size,
    ),
    Box(
        kind="ECS::TaskDefinition",
        id="ValidationMonitor",
        title="validation-monitor",
        at=(682, TASKS),
        size=(148, 54),
        look="task",
        says=_size,
    ),
    Box(
        kind="RDS::DBInstance",
        title="RDS: PostgreSQL",
        at=(350, 442),
        size=(200, 54),
        look="data",
        says=_database,
    ),
    Box(
        kind="S3::Bucket",
        id="BackendMedia",
        title="S3: uploads",
        at=(RIGHT, 116),
        look="data",
        says=_words("of the laboratories"),
    ),
    Box(
        kind="SecretsManager::Secret",
        title="Secrets Manager",
        at=(RIGHT, 186),
        look="data",
        says=_count("secrets, generated"),
    ),
    Box(
        kind="SES::EmailIdentity",
        title="SES: mail",
        at=(RIGHT, 256),
        says=_identity,
    ),
    Box(
        kind="Scheduler::Schedule",
        title="Scheduler",
        at=(RIGHT, TASKS),
        says=_schedule,
    ),
    Box(
        kind="CloudWatch::Alarm",
        title="CloudWatch",
        at=(RIGHT, 415),
        says=_count("alarms, a log a task"),
    ),
    Box(
        kind="S3::Bucket",
        id="Logs",
        title="S3: access logs",
        at=(RIGHT, 485),
        look="data",
        says=_words("of all that takes requests"),
    ),
]

# What several boxes are in: title, x, y, width, height.
FRAMES = [
    ("VPC", 170, 200, 680, 316),
    ("public subnets", 180, 224, 660, 88),
    ("private subnets", 180, 321, 660, 88),
    ("isolated subnets", 180, 418, 660, 88),
]
PEOPLE = [("Browser", 20, 116), ("cdk deploy", 20, TASKS)]

# Lines with an arrow at the end: the corners, and whether it happens in deployments only.
ARROWS: list[tuple[list[tuple[int, int]], bool]] = [
    ([(130, 133), (150, 133), (150, 63), (190, 63)], False),
    ([(130, 143), (190, 143)], False),
    ([(130, 153), (150, 153), (150, 275), (350, 275)], False),
    ([(360, 63), (430, 63)], False),
    ([(360, 143), (430, 143)], False),
    ([(670, 63), (600, 63)], True),
    ([(130, 372), (190, 372)], True),
    ([(305, 345), (305, 186), (515, 186), (515, 170)], True),
    ([(320, 372), (360, 372)], True),
    ([(450, 302), (450, 345)], False),
    ([(450, 399), (450, 442)], False),
    ([(305, 399), (305, 469), (350, 469)], True),
    ([(840, 333), (856, 333), (856, 143), (870, 143)], False),
    ([(856, 213), (870, 213)], False),
    ([(856, 283), (870, 283)], False),
    ([(870, 386), (830, 386)], False),
]
LEGEND = "dashed: in deployments only; setup-db has to succeed before web changes"
WIDTH, HEIGHT = 1060, 550

STYLE = """
  svg { --ink: #1f2328; --soft: #59636e; --line: #8c959f; --frame: #d1d9e0;
        --edge: #ddf4ff; --task: #fff1e5; --data: #dafbe1; --other: #f6f8fa; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #f0f6fc; --soft: #9198a1; --line: #7d8590; --frame: #3d444d;
          --edge: #0c2d6b; --task: #5a1e02; --data: #033a16; --other: #212830; }
  }
  text { font: 11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
         fill: var(--soft); }
  .title { font-size: 13px; font-weight: 600; fill: var(--ink); }
  .box { stroke: var(--line); rx: 6px; }
  .edge { fill: var(--edge); } .task { fill: var(--task); }
  .data { fill: var(--data); } .other { fill: var(--other); }
  .frame { fill: none; stroke: var(--frame); rx: 8px; }
  .arrow { fill: none; stroke: var(--line); stroke-width: 1.5; }
  .deploying { stroke-dasharray: 5 4; }
  .head { fill: var(--line); }
"""


def templates(context: Mapping[str, object] | None = None) -> dict[str, Resources]:
    """Return the resources of each stack of the example."""
    from galv_app.stacks import add_stacks  # noqa: PLC0415 - needs the path

    app = App(context={"aws:cdk:bundling-stacks": [], **CONTEXT, **(context or {})})
    return {
        stack.stack_name: Template.from_stack(stack).to_json()["Resources"]
        for stack in add_stacks(app)
    }


def _all_of(resources: Resources, kind: str, start: str = "") -> list[Json]:
    return [
        resource.get("Properties", {})
        for logical_id, resource in resources.items()
        if resource["Type"] == f"AWS::{kind}" and logical_id.startswith(start)
    ]


def picture(stacks: Mapping[str, Resources]) -> str:
    """Return the picture of the stacks, as SVG.

    Raises:
        ValueError: If a box has nothing to show, something has no box, or a text is too long.
    """
    resources = {key: value for stack in stacks.values() for key, value in stack.items()}
    drawn: Counter[str] = Counter()
    shapes = [_frame(*frame) for frame in FRAMES]
    shapes += [_arrow(corners, deploying=deploying) for corners, deploying in ARROWS]
    shapes += [_box(title, "", "other", (x, y), (110, 54)) for title, x, y in PEOPLE]
    for box in BOXES:
        found = _all_of(resources, box.kind, box.id)
        if not found:
            raise ValueError(f"there is no {box.kind} {box.id} for the box {box.title!r}")
        drawn[box.kind] += len(found)
        shapes.append(_box(box.title, box.says(found, resources), box.look, box.at, box.size))
    for kind, count in drawn.items():
        there = len(_all_of(resources, kind))
        if there != count:
            raise ValueError(f"{count} of {there} {kind} are drawn: BOXES lacks one, or shares one")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            "<title>Architecture of examples/galv-app in AWS</title>",
            "<!-- Written by tools/diagram.py from the synthesized templates. -->",
            f"<style>{STYLE}</style>",
            *shapes,
            _text(LEGEND, 170, 538, anchor="start"),
            "</svg>",
            "",
        ]
    )


def _box(title: str, text: str, look: str, at: tuple[int, int], size: tuple[int, int]) -> str:
    (x, y), (width, height) = at, size
    # Widths of letters differ; these are those of a wide font.
    if len(title) * 7.4 > width - 12 or len(text) * 5.9 > width - 12:
        raise ValueError(f"the box of {title!r} is too narrow for {text!r}")
    middle = x + width / 2
    lines = [f'<rect class="box {look}" x="{x}" y="{y}" width="{width}" height="{height}"/>']
    lines.append(_text(title, middle, y + (24 if text else 32), "title"))
    if text:
        lines.append(_text(text, middle, y + 41))
    return "\n".join(lines)


def _text(text: str, x: float, y: float, style: str = "", anchor: str = "middle") -> str:
    of_class = f' class="{style}"' if style else ""
    return f'<text{of_class} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _frame(title: str, x: int, y: int, width: int, height: int) -> str:
    return "\n".join(
        [
            f'<rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}"/>',
            _text(title, x + 10, y + 16, anchor="start"),
        ]
    )


def _arrow(corners: Iterable[tuple[int, int]], *, deploying: bool) -> str:
    *_, (before_x, before_y), (x, y) = points = list(corners)
    right, down = (x > before_x) - (x < before_x), (y > before_y) - (y < before_y)
    # The line ends where its head begins.
    points[-1] = (x - 6 * right, y - 6 * down)
    line = " ".join(f"{px},{py}" for px, py in points)
    head = (
        f"{x},{y} {x - 8 * right - 4 * down},{y - 8 * down - 4 * right} "
        f"{x - 8 * right + 4 * down},{y - 8 * down + 4 * right}"
    )
    style = "arrow deploying" if deploying else "arrow"
    return f'<polyline class="{style}" points="{line}"/>\n<polygon class="head" points="{head}"/>'


if __name__ == "__main__":
    PICTURE.write_text(picture(templates()))
