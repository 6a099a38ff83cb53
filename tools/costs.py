"""Work out what the example application costs while idle, from its synthesized templates.

`npm run generate` writes the table in docs/costs.md; with `--check` it only says whether that is
up to date.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from cheapest import cheapest_costs
from marked import put_between
from prices import HOURS, IMAGE_GIB, NAT_GIB, Costs, monthly_costs
from shapes import SHAPES, Json, synthesize

from galv_constructs import NetworkPreset

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "costs.md"
BEGIN, END = "<!-- costs: begin -->", "<!-- costs: end -->"
OPTIONS_BEGIN, OPTIONS_END = "<!-- options: begin -->", "<!-- options: end -->"
CHEAPEST_BEGIN, CHEAPEST_END = "<!-- cheapest: begin -->", "<!-- cheapest: end -->"
PULLS_BEGIN, PULLS_END = "<!-- pulls: begin -->", "<!-- pulls: end -->"

# The deployment that this one replaces, by the same price list.
BEFORE = 231

# Tasks without the internet: five endpoints more, and that of SES, for which the example has mail.
ENDPOINTS: dict[str, dict[str, object]] = {
    f"endpoints, {name}": {"networkPreset": "endpoints", "isProduction": production}
    for name, production in (("production", True), ("not production", False))
}
_RATE = re.compile(r"rate\((?P<minutes>\d+) minutes\)")
# GB of an image as it is pulled: compressed.
PULLED = 0.1

# Keys of cdk.json that add something to the default shape.
OPTIONS: dict[str, dict[str, object]] = {
    "mediaKey": {"mediaKey": True},
    "databaseKey": {"databaseKey": True},
    "backupDays": {"backupDays": 35},
    "backupDays and backupCopyTo": {
        "backupDays": 35,
        "backupCopyTo": "arn:aws:backup:eu-central-1:123456789012:backup-vault:galv",
    },
}


def _templates(context: Mapping[str, object]) -> list[Json]:
    return _synthesized(frozenset(context.items()))


# Several tables look at one shape.
@cache
def _synthesized(context: frozenset[tuple[str, object]]) -> list[Json]:
    return [stack.template for stack in synthesize(dict(context))]


def all_costs() -> dict[str, Costs]:
    """Return the costs of each shape of the example."""
    shapes = {**SHAPES, **ENDPOINTS}
    return {name: monthly_costs(_templates(context)) for name, context in shapes.items()}


def pull_costs() -> dict[str, tuple[float | None, float]]:
    """Return what the monitor's pulls of each 100 MB cost in each network, from GHCR and from ECR.

    There is no price from GHCR in a network that does not reach it.
    """
    costs: dict[str, tuple[float | None, float]] = {}
    for preset in NetworkPreset:
        # As the first table has it.
        context = {"networkPreset": preset.value, "isProduction": True}
        ecr = _pulls(_templates(context))
        has_internet = preset is not NetworkPreset.ENDPOINTS
        ghcr = _pulls(_templates({**context, "mirrorImage": False})) if has_internet else None
        costs[preset.value] = (ghcr, ecr)
    return costs


def _pulls(templates: Iterable[Json]) -> float:
    """The price of all pulls by schedules, and of the copy that they are of.

    Fargate caches no image. Amazon ECR keeps layers in Amazon S3, which tasks reach through the
    VPC's gateway endpoint, for nothing:
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
    """
    resources = [one for template in templates for one in template["Resources"].values()]
    runs = sum(
        HOURS * 60 / int(rate["minutes"])
        for one in resources
        if one["Type"] == "AWS::Scheduler::Schedule"
        if (rate := _RATE.fullmatch(one["Properties"]["ScheduleExpression"]))
    )
    types = {one["Type"] for one in resources}
    is_copied = "Custom::GalvMirroredImage" in types
    by_endpoint = is_copied and any(
        one["Type"] == "AWS::EC2::VPCEndpoint" and one["Properties"]["VpcEndpointType"] == "Gateway"
        for one in resources
    )
    through_gateway = "AWS::EC2::NatGateway" in types and not by_endpoint
    storage = IMAGE_GIB * PULLED if is_copied else 0
    return storage + (runs * PULLED * NAT_GIB if through_gateway else 0)


def pulls_table(pulls: Mapping[str, tuple[float | None, float]]) -> str:
    """Return the table of pulls for the page."""
    rows = [
        f"| {preset} | {'not possible' if ghcr is None else f'{ghcr:.2f}'} | {ecr:.2f} |"
        for preset, (ghcr, ecr) in pulls.items()
    ]
    head = ["|  | from GHCR (`mirrorImage: false`) | from Amazon ECR |", "| --- | ---: | ---: |"]
    return "\n".join([*head, *rows])


def option_costs() -> dict[str, float]:
    """Return what each option adds to the costs of the example's default shape."""
    without = sum(monthly_costs(_templates({})).values())
    return {
        name: sum(monthly_costs(_templates(context)).values()) - without
        for name, context in OPTIONS.items()
    }


def options_table(options: Mapping[str, float]) -> str:
    """Return the table of options for the page."""
    rows = [f"| `{name}` | {cost:.2f} |" for name, cost in options.items()]
    return "\n".join(["| key | dollars a month |", "| --- | ---: |", *rows])


def table(shapes: Mapping[str, Costs]) -> str:
    """Return the table for the page."""
    sums = [sum(costs.values()) for costs in shapes.values()]
    items = sorted({item for costs in shapes.values() for item in costs})
    rows = [
        ["", *shapes],
        ["---", *("---:" for _ in shapes)],
        *([item, *(f"{costs.get(item, 0):.2f}" for costs in shapes.values())] for item in items),
        ["**sum**", *(f"**{total:.2f}**" for total in sums)],
        [f"of ${BEFORE}", *(f"{total / BEFORE:.0%}" for total in sums)],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cheapest_table(shapes: Mapping[str, Costs]) -> str:
    """Return the table of the cheapest shapes for the page, with a shape in each row."""
    items = sorted({item for costs in shapes.values() for item in costs})
    rows = [
        ["", *items, "**sum**"],
        ["---", *("---:" for _ in items), "---:"],
        *(
            [
                name,
                *(f"{costs.get(item, 0):.2f}" for item in items),
                f"**{sum(costs.values()):.2f}**",
            ]
            for name, costs in shapes.items()
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def updated(
    page: str,
    shapes: Mapping[str, Costs],
    options: Mapping[str, float],
    pulls: Mapping[str, tuple[float | None, float]],
    cheapest: Mapping[str, Costs],
) -> str:
    """Return the page with tables of today."""
    page = put_between(page, CHEAPEST_BEGIN, CHEAPEST_END, cheapest_table(cheapest))
    page = put_between(page, PULLS_BEGIN, PULLS_END, pulls_table(pulls))
    page = put_between(page, BEGIN, END, table(shapes))
    return put_between(page, OPTIONS_BEGIN, OPTIONS_END, options_table(options))


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    old = PAGE.read_text()
    new = updated(old, all_costs(), option_costs(), pull_costs(), cheapest_costs())
    if not check:
        PAGE.write_text(new)
    elif new != old:
        print("docs/costs.md is out of date: run `npm run generate`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
