import math
from collections.abc import Mapping

import costs
import pytest

Costs = Mapping[str, Mapping[str, float]]


@pytest.fixture(scope="module")
def shapes() -> Costs:
    return costs.all_costs()


@pytest.mark.slow
def test_the_page_is_up_to_date(shapes: Costs) -> None:
    page = costs.PAGE.read_text()

    options = costs.option_costs()
    assert costs.updated(page, shapes, options, costs.pull_costs()) == page
    # None of them has a price that the tool does not see.
    assert min(options.values()) > 0


@pytest.mark.slow
def test_idle_costs_stay_within_what_is_promised(shapes: Costs) -> None:
    sums = {name: sum(items.values()) for name, items in shapes.items()}

    assert sums["natGateway, production"] <= 0.60 * costs.BEFORE
    assert min(sums.values()) <= 0.35 * costs.BEFORE


@pytest.mark.slow
def test_a_copy_in_ecr_saves_what_pulls_cost_through_a_nat_gateway() -> None:
    pulls = costs.pull_costs()

    ghcr, ecr = pulls["natGateway"]
    # 8,760 runs a month.
    assert ghcr is not None
    assert math.isclose(ghcr, 8_760 * 0.1 * 0.045)
    assert all(copied == ecr < 0.02 for _, copied in pulls.values())
    assert pulls["endpoints"][0] is None
