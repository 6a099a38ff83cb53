"""The stack that has to go before all others."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, CfnWaitConditionHandle, Stack
from constructs import Construct


class DeletionProtectionStack(Stack):
    """Deployed last and destroyed first: while it is protected, `cdk destroy` stops at it.

    Termination protection of the other stacks would be in the way of their own first deployment:
    the CDK CLI turns it on before that, and could not delete what failed to try again.
    """

    def __init__(
        self, scope: Construct, id: str, *, protected: Sequence[Stack], **kwargs: Any
    ) -> None:
        super().__init__(
            scope,
            id,
            description="To destroy this deployment, set deletionProtection to false in cdk.json "
            "and deploy it; then run cdk destroy --all",
            **kwargs,
        )
        # A stack needs a resource; this one is a URL that nobody calls.
        CfnWaitConditionHandle(self, "Nothing")
        for number, stack in enumerate(protected, start=1):
            # CloudFormation deletes no stack that another one has imported from.
            CfnOutput(self, f"Protects{number}", value=stack.stack_id)
