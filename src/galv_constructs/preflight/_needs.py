"""The questions that constructs of this library ask in preflight."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Aws, DefaultStackSynthesizer, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from galv_constructs._core.validation import is_list
from galv_constructs.preflight.check import TOKEN, PreflightCheck
from galv_constructs.preflight.preflight import GalvPreflight

KINDS = (
    "certificate",
    "database",
    "hosted-zone",
    "image",
    "mail-identity",
    "mail-sandbox",
    "quotas",
    "records",
    "secret",
    "service-linked-roles",
    "site-source",
    "snapshot",
    "subnets",
)
"""The kinds of questions, which `preflight=[…]` can leave out."""
# A secret as ECS names it, with the key of its JSON that a variable is taken from.
_SECRET = re.compile(
    rf"(?P<arn>{TOKEN}|arn:.*:secretsmanager:.*:secret:(?P<name>[^:]+))"
    r"(?::(?P<key>[^:]*):[^:]*:[^:]*)?"
)


class Needs:
    """The questions of one construct, unless its user left them out."""

    def __init__(
        self,
        scope: Construct,
        *,
        preflight: bool | Sequence[str],
        production: bool | None = None,
        removal_protection: bool | None = None,
    ) -> None:
        """Remember what the user of a construct said about preflight and about its log."""
        self._scope = scope
        self._asks = preflight is not False
        self._skipped = set() if isinstance(preflight, bool) else set(preflight)
        self._production = production
        self._removal_protection = removal_protection

    def ask(self, id: str, check: PreflightCheck, *, scope: IConstruct | None = None) -> None:
        """Ask a question under the path of the construct, in the stack of `scope` or its own.

        The only question of a construct has no id of its own.
        """
        if not self._asks or check.kind in self._skipped:
            return
        preflight = GalvPreflight.of(scope or self._scope)
        if self._production is not None:
            preflight.keep_log(
                production=self._production, removal_protection=self._removal_protection
            )
        stack = Stack.of(self._scope)
        path = self._scope.node.path.removeprefix(stack.node.path).strip("/")
        preflight.add_check(f"{path}/{id}".strip("/"), check)

    def hold(self, *constructs: IConstruct | None) -> None:
        """Make resources wait, where anything is asked in their stack."""
        for construct in constructs if self._asks else ():
            preflight = None if construct is None else GalvPreflight.find(construct)
            if preflight is not None and construct is not None:
                preflight.hold(construct)


def check_preflight(preflight: object) -> None:
    """Refuse what is neither true or false nor a list of kinds."""
    if isinstance(preflight, bool):
        return
    if not is_list(preflight):
        raise ValueError(
            "preflight must be true, false, or a list of kinds of checks to leave out, such as "
            f"['image'], got {preflight!r}"
        )
    for kind in preflight:
        if kind not in KINDS:
            near = difflib.get_close_matches(str(kind), KINDS, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(
                f"preflight leaves out {kind!r}, which is no kind of check{meant} Kinds: "
                f"{', '.join(KINDS)}"
            )


def secret_checks(secrets: Mapping[str, ecs.Secret]) -> Iterable[tuple[str, PreflightCheck]]:
    """Return a question for each secret that variables are taken from, with an id for each."""
    keys: dict[str, set[str]] = {}
    ids: dict[str, str] = {}
    for variable, secret in secrets.items():
        # What is no secret is a parameter of Systems Manager.
        found = _SECRET.fullmatch(secret.arn)
        if found is not None:
            ids.setdefault(found["arn"], f"Secrets/{found['name'] or variable}")
            keys.setdefault(found["arn"], set()).update([found["key"]] if found["key"] else [])
    for arn, id in ids.items():
        yield id, PreflightCheck.secret(arn, keys=sorted(keys[arn]))


def role_that_reads(scope: Construct, secret: secretsmanager.ISecret) -> iam.IRole | None:
    """Return the role of the stack's preflight, if that reads a secret."""
    preflight = GalvPreflight.find(scope)
    if preflight is None or not preflight.may_read(secret.secret_arn):
        return None
    return preflight.role


def deployment_role(scope: Construct) -> str | None:
    """Return the role that CloudFormation creates resources with, where CDK's bootstrap made it."""
    synthesizer = Stack.of(scope).synthesizer
    if not isinstance(synthesizer, DefaultStackSynthesizer):
        return None
    tokens = {"Partition": Aws.PARTITION, "AccountId": Aws.ACCOUNT_ID, "Region": Aws.REGION}
    arn = synthesizer.cloud_formation_execution_role_arn
    for name, token in tokens.items():
        arn = arn.replace(f"${{AWS::{name}}}", token)
    return arn
