"""Whether a given ECS cluster offers what tasks want to run on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("ecs:DescribeClusters",)


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask whether `Cluster`, a name or an ARN, has the `CapacityProviders`.

    "Only capacity providers that are already associated with a cluster and have an ACTIVE or
    UPDATING status can be used in a capacity provider strategy":
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
    """
    name = question.text("Cluster")
    found = world.client("ecs").describe_clusters(clusters=[name])["clusters"]
    # One that was deleted is told of for a while.
    if not found or found[0]["status"] == "INACTIVE":
        yield question.error(
            f"the cluster {name} does not exist",
            f"its status is {found[0]['status']}" if found else "ECS knows none of that name",
            "create it first, or pass a cluster of this account and region",
        )
        return
    offered = found[0].get("capacityProviders", [])
    missing = [one for one in question.texts("CapacityProviders") if one not in offered]
    if missing:
        strategy = json.dumps(found[0].get("defaultCapacityProviderStrategy", []))
        yield question.error(
            f"the cluster {name} does not offer {', '.join(missing)}",
            f"it offers {', '.join(offered) or 'none'}",
            f"let it: aws ecs put-cluster-capacity-providers --cluster {name} "
            f"--capacity-providers {' '.join([*offered, *missing])} "
            f"--default-capacity-provider-strategy '{strategy}'; or leave spot out",
        )
