"""SMTP credentials for Amazon SES that are created during a deployment and rotated on request."""

import re

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.acknowledge import (
    DEPLOYMENT_FUNCTIONS,
    ROTATED_BY_DEPLOYMENT,
    acknowledge,
    acknowledge_wildcards,
    secret_findings,
)
from galv_constructs._core.handler import handled_resource, handler_function, handler_role
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.validation import check_type, is_token

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


def check_secret_name(name: str, value: str) -> None:
    """Refuse what Secrets Manager does not take as a name."""
    check_type(name, value, str, "the name of a secret")
    if not is_token(value) and not _SECRET_NAME.fullmatch(value):
        raise ValueError(
            f"{name} must be letters, digits and '/_+=.@-', at most 512, got {value!r}"
        )


class SmtpCredentials(Construct):
    """A user that may send mail, and a secret with its SMTP user name and password."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        sender: str,
        configuration_set_arn: str,
        new_identity: str | None,
        secret_name: str | None,
        rotation: int,
        encryption_key: kms.IKey | None,
        policy: DeploymentPolicy,
    ) -> None:
        super().__init__(scope, id)
        any_identity = Stack.of(self).format_arn(
            service="ses", resource="identity", resource_name="*"
        )
        # SMTP knows no temporary credentials, so there has to be a user.
        self.user = iam.User(self, "User")
        group = iam.Group(self, "Group")
        group.add_user(self.user)
        permission = iam.ManagedPolicy(
            self,
            "Policy",
            description=f"Sending mail for {scope.node.path}",
            groups=[group],
            statements=[
                iam.PolicyStatement(
                    # What SMTP is to IAM:
                    # https://docs.aws.amazon.com/ses/latest/dg/control-user-access.html
                    actions=["ses:SendRawEmail"],
                    # In the sandbox SES asks for the verified recipient's identity too. Who sends
                    # is fixed by the condition.
                    resources=[any_identity, configuration_set_arn],
                    conditions={"StringEquals": {"ses:FromAddress": sender}},
                )
            ],
        )
        acknowledge_wildcards(permission, {any_identity: _ANY_RECIPIENT})
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            secret_name=secret_name,
            description="SMTP user name and password that Galv sends mail with",
            encryption_key=encryption_key,
            # The user goes with the stack, and what is in here is worth nothing without it.
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.log_group = new_log_group(
            self,
            retention=policy.log_retention,
            removal_policy=policy.data_removal,
            encryption_key=encryption_key,
        )
        acknowledge(
            self,
            DEPLOYMENT_FUNCTIONS
            | secret_findings(encryption_key, not_rotated=ROTATED_BY_DEPLOYMENT),
        )
        self.resource = handled_resource(
            self,
            resource_type="Custom::GalvSmtpCredentials",
            on_event=self._function(self.log_group, encryption_key, new_identity),
            log_group=self.log_group,
            properties={
                "UserName": self.user.user_name,
                "SecretId": self.secret.secret_arn,
                "Region": Aws.REGION,
                "Rotation": str(rotation),
                **({} if new_identity is None else {"NewIdentity": new_identity}),
            },
        )
        # The first task that gets the credentials must be allowed to use them.
        self.resource.node.add_dependency(permission)
        self.version_id = self.resource.get_att_string("VersionId")

    def _function(
        self, log_group: logs.ILogGroup, encryption_key: kms.IKey | None, new_identity: str | None
    ) -> lambda_.Function:
        role = handler_role(self)
        log_group.grant_write(role)
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:ListAccessKeys"],
                resources=[self.user.user_arn],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                resources=[self.secret.secret_arn],
            )
        )
        if new_identity is not None:
            stack = Stack.of(self)
            identity = stack.format_arn(
                service="ses", resource="identity", resource_name=new_identity
            )
            for action, resource in (
                ("ses:GetEmailIdentity", identity),
                ("cloudformation:DescribeStacks", stack.stack_id),
            ):
                role.add_to_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        if encryption_key is not None:
            encryption_key.grant(role, "kms:Decrypt", "kms:GenerateDataKey")
        return handler_function(
            self,
            "Handler",
            module="smtp_credentials",
            entry="on_event",
            description=f"SMTP credentials of {self.node.path}",
            role=role,
            log_group=log_group,
            timeout=Duration.minutes(5),
        )


_ANY_RECIPIENT = (
    "In the sandbox SES asks for the recipient's identity too, and recipients are "
    "anyone; a condition fixes the address that mail comes from."
)
