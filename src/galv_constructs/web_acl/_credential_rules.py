"""The rules of a `GalvWebAcl` for passwords and codes, and for the paths of Django's admin."""

import re
from collections.abc import Sequence

from aws_cdk import aws_wafv2 as wafv2

from galv_constructs._core.validation import check_list

RESET_PATHS: Sequence[str] = ("/forgot_password/", "/reset_password/")
"""Paths where anyone may guess the code of any account, so all addresses share one limit."""

ADMIN_PATH = "/admin/"

_PATH = re.compile(r"(?:[A-Z]+ )?/(?:[A-Za-z0-9_~.-]+/)+")
# https://docs.aws.amazon.com/waf/latest/developerguide/limits.html
_LONGEST_EXPRESSION = 512

Statement = wafv2.CfnWebACL.StatementProperty


def at_paths(paths: Sequence[str]) -> Statement:
    """A statement that is true for requests to paths, with a method where one is given.

    Without a method all count but `OPTIONS` without credentials, with which a browser asks before
    it sends a request. With a password the answer to `OPTIONS` tells whether it is right.
    """
    methods_of: dict[str, list[str]] = {}
    for entry in sorted(paths):
        method, _, path = entry.rpartition(" ")
        methods_of.setdefault(path, []).append(method)
    # Each expression takes capacity, so paths with the same methods share one.
    by_methods: dict[tuple[str, ...], list[str]] = {}
    for path, methods in methods_of.items():
        by_methods.setdefault(tuple(dict.fromkeys(methods)), []).append(path)
    return _either(
        *(
            _both(
                path_starts_with(starts),
                _not(_preflight()) if "" in methods else _method(*methods),
            )
            for methods, starts in sorted(by_methods.items())
        )
    )


def path_starts_with(paths: Sequence[str]) -> Statement:
    """A statement that is true for every way to write a path that Django takes for one of these.

    gunicorn decodes a path once, and Django compares what comes out, to the letter. So the path is
    decoded once here, and not normalized: `/admin/x/../../` is a page of the admin's to Django.
    What no Django routes, such as `//login/` and `/LOGIN/`, is counted too, for servers that do.
    A path may end with a suffix for a format, such as `/users.json`, for the REST framework.
    """
    return Statement(
        regex_match_statement=wafv2.CfnWebACL.RegexMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
            regex_string=_expression(paths),
            text_transformations=[
                wafv2.CfnWebACL.TextTransformationProperty(priority=priority, type=name)
                for priority, name in enumerate(("URL_DECODE", "LOWERCASE"))
            ],
        )
    )


def _expression(paths: Sequence[str]) -> str:
    starts = "|".join(re.escape(path.lower().rstrip("/")) for path in sorted(paths))
    # A request may be for a whole URL: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
    # gunicorn takes any scheme and any host, `foo:/login/` too, and whatever is in them. So what
    # does not start with a slash is searched for the path. It also drops tabs and ends of lines:
    # https://docs.python.org/3/library/urllib.parse.html#urllib.parse.urlsplit
    return rf"[\t\n\r]|^(?:[^/][\w\W]*)?/*(?:{starts})[/.]"


def at_most(
    limit: int, *, seconds: int, of_each_address: bool, scope: Statement | None = None
) -> Statement:
    """A statement that is true for requests above a rate.

    "Valid settings are 60, 120, 300, and 600" seconds, and `CONSTANT` counts together what the
    scope-down statement lets through:
    https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
    """
    return Statement(
        rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
            aggregate_key_type="IP" if of_each_address else "CONSTANT",
            limit=limit,
            evaluation_window_sec=seconds,
            scope_down_statement=scope,
        )
    )


def admin_from_elsewhere(addresses: Statement | None) -> Statement:
    """A statement that is true for requests to the admin from other addresses than these.

    It is true too for the admin's path in another spelling, which a rule of a load balancer that
    asks people to sign in first would not know: that compares the path as it was sent.
    """
    at_admin = path_starts_with([ADMIN_PATH])
    if addresses is None:
        return at_admin
    return _both(at_admin, _not(_both(addresses, _starts_with(ADMIN_PATH))))


def check_credential_paths(paths: Sequence[str] | None) -> None:
    """Refuse what is not a list of paths, some with a method before them."""
    if paths is None:
        return
    check_list("credential_paths", paths, "a list of paths")
    for index, path in enumerate(paths):
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise ValueError(
                f"credential_paths[{index}] must be the start of a path such as '/login/' or "
                "'POST /users/', with a slash at both ends and not for all paths, got "
                f"{path!r}"
            )
    if len(_expression([path.rpartition(" ")[2] for path in paths])) > _LONGEST_EXPRESSION:
        raise ValueError(
            f"credential_paths are {len(paths)} paths, which are too long together: AWS WAF takes "
            f"an expression of at most {_LONGEST_EXPRESSION} characters"
        )


def by_address(paths: Sequence[str], limit: int) -> Statement:
    """Requests to the paths above the limit of one address, in five minutes."""
    return at_most(limit, seconds=300, of_each_address=True, scope=at_paths(paths))


def in_total(limit: int) -> Statement:
    """Requests for resets above the limit of all addresses together, in ten minutes."""
    return at_most(limit, seconds=600, of_each_address=False, scope=at_paths(RESET_PATHS))


def _preflight() -> Statement:
    """`OPTIONS` without a header `Authorization`.

    AWS tells in this way that a header is there:
    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rate-based-example-limit-missing-header.html
    A browser sends none: https://fetch.spec.whatwg.org/#cors-protocol-and-credentials
    """
    authorized = Statement(
        size_constraint_statement=wafv2.CfnWebACL.SizeConstraintStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(
                single_header={"Name": "authorization"}
            ),
            comparison_operator="GT",
            size=0,
            text_transformations=[
                wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")
            ],
        )
    )
    return _both(_method("OPTIONS"), _not(authorized))


def _method(*names: str) -> Statement:
    """One expression, which takes less capacity than a comparison with each."""
    return Statement(
        regex_match_statement=wafv2.CfnWebACL.RegexMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(method={}),
            regex_string=f"^(?:{'|'.join(names)})$",
            text_transformations=[
                wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")
            ],
        )
    )


def _starts_with(path: str) -> Statement:
    """The path as it was sent."""
    return Statement(
        byte_match_statement=wafv2.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="STARTS_WITH",
            search_string=path,
            text_transformations=[
                wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")
            ],
        )
    )


def _not(statement: Statement) -> Statement:
    return Statement(not_statement=wafv2.CfnWebACL.NotStatementProperty(statement=statement))


def _either(*statements: Statement) -> Statement:
    if len(statements) == 1:
        return statements[0]
    return Statement(
        or_statement=wafv2.CfnWebACL.OrStatementProperty(statements=list(statements)),
    )


def _both(*statements: Statement) -> Statement:
    return Statement(
        and_statement=wafv2.CfnWebACL.AndStatementProperty(statements=list(statements))
    )
