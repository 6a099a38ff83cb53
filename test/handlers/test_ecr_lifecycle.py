"""The lifecycle that tests of the mirror rely on, with the examples of its document.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html
"""

from __future__ import annotations

from typing import Any

from handlers.ecr_lifecycle import Pushed, expired


def policy(*selections: dict[str, Any]) -> dict[str, Any]:
    rules = [
        {"rulePriority": number, "selection": selection, "action": {"type": "expire"}}
        for number, selection in enumerate(selections, start=1)
    ]
    # Rules apply by their priority, wherever they stand.
    return {"rules": rules[::-1]}


def tagged(*prefixes: str, more_than: int = 1) -> dict[str, Any]:
    return {
        "tagStatus": "tagged",
        "tagPrefixList": list(prefixes),
        "countType": "imageCountMoreThan",
        "countNumber": more_than,
    }


# "Filtering on multiple rules"
BETA_AND_PROD = [
    Pushed("A", ["beta-1", "prod-1"], 10),
    Pushed("B", ["beta-2", "prod-2"], 9),
    Pushed("C", ["beta-3"], 8),
]


def test_multiple_rules_example_a() -> None:
    # "Image A has already been seen by Rule 1 and if Image B were expired it would violate Rule 1
    # and thus is skipped."
    assert expired(policy(tagged("prod"), tagged("beta")), BETA_AND_PROD) == {"A"}


def test_multiple_rules_example_b() -> None:
    assert expired(policy(tagged("beta"), tagged("prod")), BETA_AND_PROD) == {"A", "B"}


def test_multiple_tags_in_a_single_rule_example_a() -> None:
    images = [
        Pushed("A", ["alpha-1"], 12),
        Pushed("B", ["beta-1"], 11),
        Pushed("C", ["alpha-2", "beta-2"], 10),
        Pushed("D", ["alpha-3"], 4),
        Pushed("E", ["beta-3"], 3),
        Pushed("F", ["alpha-4", "beta-4"], 2),
    ]
    since = {"countType": "sinceImagePushed", "countNumber": 5, "countUnit": "days"}

    assert expired(policy({**tagged("alpha", "beta"), **since}), images) == {"C"}


def test_multiple_tags_in_a_single_rule_example_b() -> None:
    images = [
        Pushed("A", ["alpha-1", "beta-1", "gamma-1"], 10),
        Pushed("B", ["alpha-2", "beta-2"], 9),
        Pushed("C", ["alpha-3", "beta-3", "gamma-2"], 8),
    ]

    assert expired(policy(tagged("alpha", "beta")), images) == {"A", "B"}


def test_filtering_on_all_images() -> None:
    images = [Pushed(str(number), []) for number in range(7)]
    rule = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}

    assert expired(policy(rule), images) == {"0", "1"}


def test_filtering_on_image_count_of_untagged_images() -> None:
    images = [Pushed("A", []), Pushed("B", ["v1"]), Pushed("C", [])]
    rule = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}

    assert expired(policy(rule), images) == {"A"}
