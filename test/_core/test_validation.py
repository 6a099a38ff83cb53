"""The checks of arguments: their bounds and their messages."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager

from galv_constructs._core import validation
from galv_constructs._core.validation import (
    arn_pattern,
    check_boolean,
    check_construct,
    check_domain_name,
    check_duration,
    check_email,
    check_fargate_size,
    check_image_tag,
    check_known,
    check_list,
    check_range,
    check_tags,
    check_variables,
    is_in_domain,
)

TEXT = Token.as_string({"Ref": "Parameter"})
NUMBER = Token.as_number({"Ref": "Parameter"})


def message(check: Callable[..., None], *arguments: Any) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - callers look at the text
        check(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        "api.example.com",
        "a.b",
        "xn--bcher-kva.example",
        "1.2.example",
        f"{'a' * 63}.example.com",
        ".".join(["a" * 49] * 5) + ".com",  # 253 characters
        TEXT,
    ],
)
def test_accepts_host_names(name: str) -> None:
    check_domain_name("domain_name", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost",
        "API.example.com",
        "api.example.com.",
        ".example.com",
        "api..example.com",
        "https://api.example.com",
        "api.example.com:443",
        "api.example.com/",
        "api_1.example.com",
        "-api.example.com",
        "api-.example.com",
        "*.example.com",
        "api.example.com\n",
        " api.example.com",
        "bücher.example",
        f"{'a' * 64}.example.com",
        ".".join(["a" * 49] * 5) + ".comm",  # 254 characters
        None,
        7,
        b"api.example.com",
        ("api", "example", "com"),
        ["api.example.com"],
    ],
)
def test_refuses_an_invalid_host_name(name: object) -> None:
    assert message(check_domain_name, "domain_name", name) == (
        "domain_name must be a bare host name in lower case such as 'api.example.com', "
        f"got {name!r}: leave out the scheme, the port, the path and a dot at the end"
    )


@pytest.mark.parametrize(
    "address", ["galv@example.com", "galv-no-reply+x@mail.example.com", "o'x@a.b", TEXT]
)
def test_accepts_email_addresses(address: str) -> None:
    check_email("sender", address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "galv",
        "@example.com",
        "galv@",
        "galv@localhost",
        "Galv <galv@example.com>",
        "a b@example.com",
        "galv@example.com\n",
        f"{'a' * 65}@example.com",
        None,
        {"Ref": "Parameter"},
    ],
)
def test_refuses_an_invalid_email_address(address: object) -> None:
    text = message(check_email, "sender", address)

    assert text.startswith("sender must be an address such as 'galv-no-reply@mail.example.com'")
    assert text.endswith(f"got {address!r}")


@pytest.mark.parametrize("tag", ["latest", "v2.11.4", "v2_x-1", "a" * 128, TEXT])
def test_accepts_image_tags(tag: str) -> None:
    check_image_tag("version", tag)


@pytest.mark.parametrize("tag", ["", "a" * 129, ".1", "-1", "2.11.4@sha256:0", "a b", "a\n", 2.11])
def test_refuses_an_invalid_image_tag(tag: object) -> None:
    text = message(check_image_tag, "version", tag)

    assert "version must be the tag of an image, such as 'v2.11.4' or 'latest'" in text
    assert f"got {tag!r}" in text
    assert "at most 128" in text


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [
        (256, 512),
        (256, 2048),
        (512, 1024),
        (512, 4096),
        (1024, 2048),
        (1024, 8192),
        (2048, 16384),
        (4096, 30720),
        (8192, 16384),
        (8192, 61440),
        (16384, 122880),
        (NUMBER, 1024),
        (512, NUMBER),
    ],
)
def test_accepts_every_size_of_fargate(cpu: float, memory: float) -> None:
    check_fargate_size(cpu, memory)


@pytest.mark.parametrize("cpu", [0, 128, 500, 1, -256, 32768, 512.0, "512", True, None, [512]])
def test_refuses_a_cpu_that_fargate_does_not_have(cpu: Any) -> None:
    assert message(check_fargate_size, cpu, 1024) == (
        "cpu must be one of 256, 512, 1024, 2048, 4096, 8192, 16384 (1024 is one vCPU), "
        f"got {cpu!r}"
    )


@pytest.mark.parametrize(
    ("cpu", "memory", "allowed"),
    [
        (256, 4096, "512, 1024, 2048"),
        (512, 512, "1024, 2048, 3072, 4096"),
        (512, 1000, "1024, 2048, 3072, 4096"),
        (512, "1024", "1024, 2048, 3072, 4096"),
        (1024, 1024, "2048, 3072, … 8192 (steps of 1024)"),
        (8192, 17408, "16384, 20480, … 61440 (steps of 4096)"),
    ],
)
def test_refuses_memory_that_does_not_go_with_the_cpu(cpu: int, memory: Any, allowed: str) -> None:
    assert message(check_fargate_size, cpu, memory) == (
        f"memory_limit_mib must be one of {allowed} with cpu={cpu}, got {memory!r}"
    )


@pytest.mark.parametrize("value", [1, 5, NUMBER])
def test_accepts_numbers_within_bounds(value: float) -> None:
    check_range("max_tasks", value, 1, 5)


@pytest.mark.parametrize("value", [0, 6, -1])
def test_refuses_numbers_out_of_bounds(value: int) -> None:
    text = message(check_range, "max_tasks", value, 1, 5, " tasks")

    assert text == f"max_tasks must be from 1 to 5 tasks, got {value}"


@pytest.mark.parametrize(
    "value", [None, "3", 2.5, 2.0, True, (1, 2), {1}, [3], Path("3"), object()]
)
def test_refuses_a_number_that_is_not_whole(value: Any) -> None:
    assert message(check_range, "max_tasks", value, 1, 5) == (
        f"max_tasks must be a whole number, got {value!r} ({type(value).__name__})"
    )


@pytest.mark.parametrize("value", [None, "true", 1, 0, (), Path("no"), object()])
def test_refuses_a_flag_that_is_not_a_boolean(value: object) -> None:
    assert message(check_boolean, "production", value) == (
        f"production must be true or false, got {value!r} ({type(value).__name__})"
    )


@pytest.mark.parametrize(
    "value", [None, Duration.minutes(1), Duration.hours(1), Duration.millis(61_000)]
)
def test_accepts_durations_within_bounds(value: Duration | None) -> None:
    check_duration("timeout", value, timedelta(minutes=1), timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (Duration.seconds(59), "59"),
        (Duration.seconds(3601), "3601"),
        (Duration.days(1), "86400"),
        (Duration.millis(60_500), "60.5"),
    ],
)
def test_refuses_durations_out_of_bounds(value: Duration, got: str) -> None:
    assert (
        message(check_duration, "timeout", value, timedelta(minutes=1), timedelta(hours=1))
        == f"timeout must be whole seconds from 60 to 3600, got {got} seconds"
    )


def test_refuses_numbers_that_are_not_known_at_synthesis() -> None:
    check_known("workers", 2)

    assert message(check_known, "workers", NUMBER) == (
        "workers must be known at synthesis, got a token: pass a plain number"
    )


def test_refuses_durations_that_are_not_known_at_synthesis() -> None:
    value = Duration.seconds(NUMBER)

    assert (
        message(check_duration, "timeout", value, timedelta(minutes=1), timedelta(hours=1))
        == "timeout must be known at synthesis, got a token: pass a plain Duration"
    )


@pytest.mark.parametrize("value", [900, "15m", 15.0])
def test_refuses_a_number_for_a_duration(value: object) -> None:
    assert (
        message(check_duration, "timeout", value, timedelta(minutes=1), timedelta(hours=1))
        == f"timeout must be a Duration, got {value!r}: use Duration.seconds(…)"
    )


@pytest.mark.parametrize("value", ["vpc-1", b"vpc-1", 1, {"vpc_id": "vpc-1"}, ["vpc-1"], ("v",)])
def test_refuses_plain_data_for_a_construct(value: object) -> None:
    assert message(check_construct, "vpc", value, "aws_ec2.IVpc", "ec2.Vpc.from_lookup(…)") == (
        f"vpc must be an aws_ec2.IVpc, got {value!r}: use ec2.Vpc.from_lookup(…)"
    )


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({"": "x"}, "the key of tags[''] must be letters, digits, spaces and any of"),
        ({"a" * 129: "x"}, "at most 128, got"),
        ({"aws:x": "x"}, "the key of tags['aws:x'] must be"),
        ({"x": "a" * 257}, "tags['x'] must be letters, digits, spaces and any of"),
        ({"x": "a;b"}, "got 'a;b'"),
        ({"x": 1}, "tags['x'] must be"),
    ],
)
def test_refuses_what_is_no_tag(tags: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        check_tags("tags", tags)


@pytest.mark.parametrize(
    "tags", [{}, {"galv-version": "v2.11.4"}, {"a" * 128: "é" * 256}, {"x": Token.as_string({})}]
)
def test_accepts_tags(tags: Any) -> None:
    check_tags("tags", tags)


class TestVariables:
    RESERVED = {"VIRTUAL_HOST": "pass domain_name", "POSTGRES_DB": "pass database"}  # noqa: RUF012

    @pytest.fixture
    def secret(self, stack: Any) -> ecs.Secret:
        return ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Secret"))

    def test_accepts_names_with_text(self, secret: ecs.Secret) -> None:
        check_variables({"A": "1", "_b2": " ", "C": TEXT}, {"E": secret}, self.RESERVED)

    @pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A\n", "Ä", 7])
    @pytest.mark.parametrize("argument", ["environment", "secrets"])
    def test_refuses_an_invalid_name(self, argument: str, name: Any, secret: ecs.Secret) -> None:
        given: list[Any] = [{name: "x"}, {}] if argument == "environment" else [{}, {name: secret}]

        text = message(check_variables, *given, {})

        assert text.startswith(f"{argument} has the name {name!r}: ")
        assert "letters, digits and '_'" in text

    @pytest.mark.parametrize("argument", ["environment", "secrets"])
    def test_refuses_reserved_names(self, argument: str, secret: ecs.Secret) -> None:
        name = "VIRTUAL_HOST"
        given: list[Any] = [{name: "x"}, {}] if argument == "environment" else [{}, {name: secret}]

        assert message(check_variables, *given, self.RESERVED) == (
            f"{argument} sets VIRTUAL_HOST, which is set from other arguments: pass domain_name. "
            "Reserved names: POSTGRES_DB, VIRTUAL_HOST"
        )

    @pytest.mark.parametrize("value", [None, 1, True, 1.5, ["a"]])
    def test_refuses_values_that_are_not_text(self, value: object) -> None:
        text = message(check_variables, {"A": value}, {}, {})

        assert f"environment['A'] must be text, got {value!r} ({type(value).__name__})" in text
        assert "in quotes" in text

    def test_refuses_empty_values(self) -> None:
        text = message(check_variables, {"A": ""}, {}, {})

        assert text.startswith("environment['A'] is empty")
        assert "leave the name out" in text

    def test_refuses_a_secret_value_in_place_of_a_secret(self) -> None:
        text = message(check_variables, {}, {"A": "hunter2"}, {})

        assert text.startswith("secrets['A'] must be an aws_ecs.Secret")
        assert "ecs.Secret.from_secrets_manager(secret, 'KEY')" in text

    def test_refuses_a_secret_of_secrets_manager_itself(self) -> None:
        itself = secretsmanager.Secret.from_secret_name_v2(Stack(), "Itself", "tokens")

        text = message(check_variables, {}, {"A": itself}, {})

        assert text.startswith("secrets['A'] must be an aws_ecs.Secret, got the secret itself")
        assert "ecs.Secret.from_secrets_manager(secret, 'KEY')" in text

    def test_refuses_a_name_in_both(self, secret: ecs.Secret) -> None:
        given = {"B": secret, "A": secret}

        assert message(check_variables, {"A": "x", "B": "y", "C": "z"}, given, {}) == (
            "A, B in both environment and secrets: keep each name in one of them"
        )

    @pytest.mark.parametrize("given", ["A=1", ["A"], 7])
    def test_refuses_anything_but_a_mapping(self, given: object) -> None:
        assert message(check_variables, given, {}, {}) == (
            f"environment must be a mapping of names to values, got {given!r}"
        )


@pytest.mark.parametrize(
    ("value", "refused"), [([], False), (("a",), False), ("a", True), (b"a", True), ({"a"}, True)]
)
def test_refuses_a_text_for_a_list(value: object, refused: bool) -> None:
    if refused:
        assert message(check_list, "names", value, "a list of names") == (
            f"names must be a list of names, got {value!r}"
        )
    else:
        check_list("names", value, "a list of names")


@pytest.mark.parametrize(
    ("name", "inside"),
    [("lab.org", True), ("api.lab.org", True), ("a.b.lab.org", True), ("mylab.org", False)],
)
def test_a_domain_is_in_itself_and_in_those_above(name: str, inside: bool) -> None:
    assert is_in_domain(name, "lab.org") is inside


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_an_arn_tells_its_region_and_account(partition: str) -> None:
    match = arn_pattern("sns", "[a-z]+").fullmatch(
        f"arn:{partition}:sns:eu-west-2:123456789012:alarms"
    )

    assert match is not None
    assert (match["region"], match["account"]) == ("eu-west-2", "123456789012")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sns:eu-west-2:123456789012:alarms",
        "arn:aws:sqs:us-east-1:123456789012:alarms",
        "arn:aws:sns:us-east-1:1234:alarms",
        "alarms",
    ],
)
def test_an_arn_of_a_region_is_of_no_other(arn: str) -> None:
    assert arn_pattern("sns", "[a-z]+", region="us-east-1").fullmatch(arn) is None


# Each with the function that says it for all.
SAID_ONCE = {
    r"isinstance\(\w+, Sequence\) and not isinstance\(\w+, str|"
    r"isinstance\(\w+, str\) or not isinstance\(\w+, Sequence\)": "is_list, check_list",
    r'bool, "true or false"': "check_boolean",
    r'!= \w+ and not \w+\.endswith\(f"\.': "is_in_domain",
    r'r[f]?"arn:[^"]*\\d': "arn_pattern",
}


@pytest.mark.parametrize("pattern", SAID_ONCE)
def test_several_constructs_share_one_check(pattern: str) -> None:
    package = Path(validation.__file__).parents[1]
    said = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(pattern, path.read_text(), re.MULTILINE)
        and path != Path(validation.__file__)
        and "handlers" not in path.parts
    ]

    assert said == [], f"use {SAID_ONCE[pattern]} of {validation.__name__}"
