"""The assets that each role of the templates reaches.

An upper bound: conditions are taken for true, and what a policy denies under a condition is not
counted.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iam_simulation import ACCOUNT, REGION, is_allowed
from templates import Json, as_list, of_type

REST = f"{REGION}:{ACCOUNT}"
ROLE = "AWS::IAM::Role"
# Its statements: to write logs, and nothing else.
WRITES_LOGS = "AWSLambdaBasicExecutionRole"

# How ARNs begin, by the type of what they name; of others the logical id is enough.
ARNS = {
    "AWS::CodeBuild::Project": f"arn:aws:codebuild:{REST}:project/",
    "AWS::ECS::TaskDefinition": f"arn:aws:ecs:{REST}:task-definition/",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REST}:function:",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REST}:log-group:",
    "AWS::S3::Bucket": "arn:aws:s3:::",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REST}:secret:",
}
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}

OTHER_BUCKET = "arn:aws:s3:::another-laboratory/data.parquet"
OTHER_SECRET = f"arn:aws:secretsmanager:{REST}:secret:another-laboratory-a1b2c3"
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/another"
OTHER_FUNCTION = f"arn:aws:lambda:{REST}:function:another"

Probe = tuple[str, str]


def plain(logical_id: str) -> str:
    """A logical id without the hash at its end."""
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)


class Template:
    """A template whose roles are asked what they reach."""

    def __init__(self, template: Json) -> None:
        self.resources: Json = template["Resources"]
        self._template = template

    def resolve(self, value: Any) -> Any:  # noqa: PLR0911 - a case for each form
        """A value in which references are ARNs or names."""
        match value:
            case {"Ref": name}:
                return self._ref(name)
            case {"Fn::GetAtt": [name, attribute]}:
                kind = self._type(name)
                arn = ARNS.get(kind, f"arn:aws:{kind}:::") + plain(name)
                return arn if attribute == "Arn" else f"{plain(name)}.{attribute}"
            case {"Fn::Join": [separator, parts]}:
                return separator.join(str(self.resolve(part)) for part in parts)
            case dict() if any(key.startswith("Fn::") for key in value):
                return f"elsewhere:{value}"
            case dict():
                return {key: self.resolve(item) for key, item in value.items()}
            case list():
                return [self.resolve(item) for item in value]
            case _:
                return value

    def _ref(self, name: str) -> Any:
        kind = self._type(name)
        if kind == "AWS::SecretsManager::SecretTargetAttachment":
            return self.resolve(self.resources[name]["Properties"]["SecretId"])
        # Ref of these two is the ARN.
        is_arn = kind in ("AWS::SecretsManager::Secret", "AWS::ECS::TaskDefinition")
        return (ARNS[kind] if is_arn else "") + PSEUDO.get(name, plain(name))

    def _type(self, name: str) -> str:
        return str(self.resources.get(name, {}).get("Type", ""))

    def roles(self) -> list[str]:
        """Logical ids of all roles."""
        return list(of_type(self._template, ROLE))

    def policies(self, role: str) -> Iterator[Json]:
        """All that a role is allowed, by its own policies and by those of buckets."""
        properties = self.resources[role]["Properties"]
        for arn in properties.get("ManagedPolicyArns", []):
            assert WRITES_LOGS in str(arn), f"{role} has a policy that is not known here: {arn}"
        for policy in properties.get("Policies", []):
            yield self._document(policy["PolicyDocument"])
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            for policy in of_type(self._template, kind).values():
                if {"Ref": role} in policy["Properties"].get("Roles", []):
                    yield self._document(policy["Properties"]["PolicyDocument"])
        arn = ARNS[ROLE] + plain(role)
        for policy in of_type(self._template, "AWS::S3::BucketPolicy").values():
            document = self._document(policy["Properties"]["PolicyDocument"])
            yield {
                "Statement": [
                    {key: value for key, value in statement.items() if key != "Principal"}
                    for statement in document["Statement"]
                    if arn in as_list(dict_of(statement["Principal"]).get("AWS", []))
                ]
            }

    def _document(self, document: Json) -> Json:
        statements = self.resolve(document)["Statement"]
        return {
            "Statement": [
                {key: value for key, value in statement.items() if key != "Condition"}
                for statement in statements
                if statement["Effect"] == "Allow" or "Condition" not in statement
            ]
        }

    def task_definitions(self) -> list[str]:
        """ARNs of revisions of all task definitions."""
        found = of_type(self._template, "AWS::ECS::TaskDefinition").values()
        families = [self.resolve(one["Properties"]["Family"]) for one in found]
        return [f"arn:aws:ecs:{REST}:task-definition/{family}:1" for family in families]

    def arns(self, kind: str, start: str = "") -> list[str]:
        """ARNs of what there is of a type."""
        return [ARNS[kind] + plain(name) for name in of_type(self._template, kind, start)]


def dict_of(principal: Any) -> Json:
    """A principal as a dictionary: `*` is everyone."""
    return principal if isinstance(principal, dict) else {"AWS": principal}


def probes(templates: Iterable[Template]) -> dict[str, list[Probe]]:
    """Return the requests that reach each asset: one of them is enough."""
    found = list(templates)

    def objects(start: str, *actions: str, key: str = "x") -> list[Probe]:
        arns = [arn for one in found for arn in one.arns("AWS::S3::Bucket", start)]
        assert arns, start
        return [(action, f"{arn}/{key}") for action in actions for arn in arns]

    def secrets(*starts: str) -> list[Probe]:
        arns = [
            arn
            for one in found
            for start in starts
            for arn in one.arns("AWS::SecretsManager::Secret", start)
        ]
        assert arns, starts
        return [("secretsmanager:GetSecretValue", arn) for arn in arns]

    def every(kind: str, *actions: str) -> list[Probe]:
        return [(action, arn) for one in found for arn in one.arns(kind) for action in actions]

    return {
        "reads uploads": objects("BackendMediaBucket", "s3:GetObject", key="lab/data.parquet"),
        "writes uploads": objects(
            "BackendMediaBucket", "s3:PutObject", "s3:DeleteObject", key="lab/data.parquet"
        ),
        "changes static files": objects(
            "BackendStaticAssets", "s3:PutObject", "s3:DeleteObject", key="x.js"
        ),
        "changes the site": objects(
            "FrontendSite", "s3:PutObject", "s3:DeleteObject", key="site/index.html"
        ),
        "changes kept releases": objects("FrontendSite", "s3:PutObject", key="releases/k/site.zip"),
        "writes what other builds left": objects(
            "FrontendSite", "s3:PutObject", key="incoming/AROA1:other/1.zip"
        ),
        "reads access logs": objects("Logs", "s3:GetObject"),
        "deletes access logs": objects("Logs", "s3:DeleteObject"),
        "is the database's master": secrets("BackendDatabase"),
        "reads the password of Galv's login at the database": secrets("BackendLogin"),
        "reads the superuser's password": secrets("BackendSecretsSuperuser"),
        "reads Django's secret key": secrets("BackendSecretsSecretKey"),
        "reads SMTP credentials": secrets("MailCredentials"),
        "writes secrets": [
            ("secretsmanager:PutSecretValue", arn)
            for one in found
            for arn in one.arns("AWS::SecretsManager::Secret")
        ],
        "reads data of others": [
            ("s3:GetObject", OTHER_BUCKET),
            ("s3:ListBucket", OTHER_BUCKET.partition("/")[0]),
            ("secretsmanager:GetSecretValue", OTHER_SECRET),
            ("kms:Decrypt", "*"),
            ("rds:DownloadCompleteDBLogFile", "*"),
            ("dynamodb:GetItem", f"arn:aws:dynamodb:{REST}:table/another"),
            ("logs:GetLogEvents", f"arn:aws:logs:{REST}:log-group:/another:log-stream:x"),
            ("ssm:GetParameter", f"arn:aws:ssm:{REST}:parameter/another"),
        ],
        "starts the site's build": every("AWS::CodeBuild::Project", "codebuild:StartBuild"),
        "runs tasks": [("ecs:RunTask", arn) for one in found for arn in one.task_definitions()],
        "passes roles of tasks": [
            ("iam:PassRole", arn)
            for one in found
            for arn in one.arns(ROLE)
            if "TaskRole" in arn or "ExecutionRole" in arn
        ],
        "assumes a role of the bootstrap": [
            (
                "sts:AssumeRole",
                f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-{name}-{ACCOUNT}-{REGION}",
            )
            for name in ("deploy-role", "file-publishing-role", "lookup-role", "cfn-exec-role")
        ],
        "changes the pipeline": [
            ("iam:PassRole", OTHER_ROLE),
            ("sts:AssumeRole", OTHER_ROLE),
            ("lambda:UpdateFunctionCode", OTHER_FUNCTION),
            ("codebuild:UpdateProject", f"arn:aws:codebuild:{REST}:project/another"),
            ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REST}:stack/another/1"),
            ("ecs:RegisterTaskDefinition", "*"),
            ("ecs:UpdateService", f"arn:aws:ecs:{REST}:service/a/b"),
            ("iam:AttachRolePolicy", OTHER_ROLE),
            ("iam:PutRolePolicy", OTHER_ROLE),
            ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/another"),
            ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/another"),
            *every("AWS::Lambda::Function", "lambda:UpdateFunctionCode"),
            *every("AWS::CodeBuild::Project", "codebuild:UpdateProject"),
        ],
    }


def table(found: Mapping[str, list[str]]) -> str:
    """The rows for the page: roles that reach the same share one."""
    rows: dict[str, list[str]] = {}
    for role, assets in sorted(found.items()):
        rows.setdefault("<br>".join(assets) or "nothing of these", []).append(f"`{role}`")
    lines = [f"| {'<br>'.join(roles)} | {assets} |" for assets, roles in sorted(rows.items())]
    return "\n".join(["| role | may |", "| --- | --- |", *lines])


def reach(templates: Mapping[str, Json]) -> dict[str, list[str]]:
    """Return the assets that each role reaches, by its stack and its name in the template."""
    resolved = {name: Template(template) for name, template in templates.items()}
    asked = probes(resolved.values())
    found = {}
    for name, template in resolved.items():
        for role in template.roles():
            policies = list(template.policies(role))
            found[f"{name.removeprefix('galv-')}/{plain(role)}"] = [
                asset
                for asset, requests in asked.items()
                if any(is_allowed(policies, action, arn) for action, arn in requests)
            ]
    return found
