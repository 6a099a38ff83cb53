"""Refusing the id of a check to leave out that no construct asks."""

import difflib
import re
from collections.abc import Iterable

import jsii
from aws_cdk import Stage
from constructs import Construct, IValidation

from galv_constructs.preflight.check import KINDS

# Types of the metadata at a stage: ids that constructs were given to leave out, and ids that they
# ask or would ask.
_GIVEN, _ASKED = "galv-constructs:preflightLeftOut", "galv-constructs:preflightCheck"


def claim_left_out(
    scope: Construct, *, given: Iterable[str] = (), asked: Iterable[str] = ()
) -> None:
    """Remember ids for the synthesis, which refuses those given that no construct asks.

    One list may be given to several constructs, as the key of `cdk.json` is, and only a whole stage
    knows all that is asked.

    Args:
        scope: The construct.
        given: Ids that it was given to leave out.
        asked: Ids of its own checks.
    """
    stage = Stage.of(scope)
    assert stage is not None  # noqa: S101 - CDK creates an app where none is given
    known = {entry.type for entry in stage.node.metadata}
    for kind, ids in ((_GIVEN, given), (_ASKED, asked)):
        for id in sorted(ids):
            stage.node.add_metadata(kind, id)
            if kind == _GIVEN and kind not in known:
                scope.node.add_validation(_LeftOut(stage))
                known.add(kind)


@jsii.implements(IValidation)
class _LeftOut:
    """Finds ids of a stage that nothing asks, at synthesis."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def validate(self) -> list[str]:
        ids = {
            kind: {entry.data for entry in self._stage.node.metadata if entry.type == kind}
            for kind in (_GIVEN, _ASKED)
        }
        asked = sorted(ids[_ASKED])
        return [_refusal(id, asked) for id in sorted(ids[_GIVEN].difference(asked))]


def _refusal(id: str, asked: list[str]) -> str:
    # `Quotas` has the form of an id, and so has `HostedZone`.
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])|[_ ]", "-", id).lower()
    near = difflib.get_close_matches(id, asked, n=1)
    meant = "."
    if kind in KINDS:
        meant = f"; did you mean the kind {kind!r}, in lower case?"
    elif near:
        meant = f"; did you mean {near[0]!r}?"
    return (
        f"preflight leaves out {id!r}, which none of the constructs with that list asks{meant} "
        f"They ask: {', '.join(asked) or 'nothing'}"
    )
