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
    assert costs.updated(page, shapes, options) == page
    # None of them has a price that the tool does not see.
    assert min(options.values()) > 0


@pytest.mark.slow
def test_idle_costs_stay_within_what_is_promised(shapes: Costs) -> None:
    sums = {name: sum(items.values()) for name, items in shapes.items()}

    assert sums["natGateway, production"] <= 0.60 * costs.BEFORE
    assert min(sums.values()) <= 0.35 * costs.BEFORE
