"""The questions that constructs of this library ask in preflight."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aws_cdk import Aws, DefaultStackSynthesizer, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from galv_constructs._core.validation import is_list, is_token
from galv_constructs.preflight._left_out import claim_left_out
from galv_constructs.preflight.check import KINDS, TOKEN, PreflightCheck
from galv_constructs.preflight.preflight import GalvPreflight

ID_PATTERN = r"[^/]+/.+|[A-Z][^/]*"
"""The id of a check as messages show it: the path of its construct, and mostly a name."""
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
        encryption_key: kms.IKey | None = None,
    ) -> None:
        """Remember what the user of a construct said about preflight and about its log."""
        self._scope = scope
        self._asks = preflight is not False
        self._left_out = frozenset(() if isinstance(preflight, bool) else preflight)
        self._left_out_ids = self._left_out.difference(KINDS)
        claim_left_out(scope, given=self._left_out_ids)
        self._production = production
        self._removal_protection = removal_protection
        self._encryption_key = encryption_key

    def ask(self, id: str, check: PreflightCheck, *, scope: IConstruct | None = None) -> None:
        """Ask a question under the path of the construct, in the stack of `scope` or its own.

        The only question of a construct has no id of its own.
        """
        if not self._asks:
            return
        name = f"{self._path}/{id}".strip("/")
        if self._left_out_ids:
            claim_left_out(self._scope, asked=[name])
        if {check.kind, name} & self._left_out:
            return
        preflight = GalvPreflight.of(scope or self._scope)
        if self._production is not None:
            preflight.keep_log(
                production=self._production,
                removal_protection=self._removal_protection,
                encryption_key=None if scope is not None else self._encryption_key,
            )
        preflight.add_check(name, replace(check, is_own=False))

    def hold(self, *constructs: IConstruct | None) -> None:
        """Make resources wait, where anything is asked in their stack."""
        for construct in constructs if self._asks else ():
            preflight = None if construct is None else GalvPreflight.find(construct)
            if preflight is not None and construct is not None:
                preflight.hold(construct)

    @property
    def _path(self) -> str:
        """The path of the construct in its stack, or in the one that its stack is nested in.

        Frontends of several nested stacks ask in one stack for their certificates.
        """
        stack = Stack.of(self._scope)
        while stack.nested_stack_parent is not None:
            stack = stack.nested_stack_parent
        return self._scope.node.path.removeprefix(stack.node.path).strip("/")


def check_preflight(preflight: object) -> None:
    """Refuse what is neither true or false nor a list of kinds and ids.

    Which ids there are is known when the application is synthesized.
    """
    if isinstance(preflight, bool):
        return
    if not is_list(preflight):
        raise ValueError(
            "preflight must be true, false, or a list of checks to leave out, by their kinds or "
            f"ids, such as ['quotas', 'Backend/Image'], got {preflight!r}"
        )
    for check in preflight:
        if check in KINDS or (isinstance(check, str) and re.fullmatch(ID_PATTERN, check)):
            continue
        near = difflib.get_close_matches(str(check), KINDS, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"preflight leaves out {check!r}, which is neither a kind of check nor an id, such as "
            f"'Backend/Image'{meant} Kinds: {', '.join(KINDS)}"
        )


def secret_checks(secrets: Mapping[str, ecs.Secret]) -> Iterable[tuple[str, PreflightCheck]]:
    """Return a question for each secret that variables are taken from, with an id for each."""
    keys: dict[str, set[str]] = {}
    ids: dict[str, str] = {}
    for variable, secret in secrets.items():
        # What is no secret is a parameter of Systems Manager.
        found = _SECRET.fullmatch(secret.arn)
        if found is not None:
            name = found["name"] or variable
            # Of several accounts or regions, secrets may have one name.
            if is_token(name) or f"Secrets/{name}" in {*ids.values()} - {ids.get(found["arn"])}:
                name = variable
            ids.setdefault(found["arn"], f"Secrets/{name}")
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
