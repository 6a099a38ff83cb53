"""Another deployment of what is deployed, with mistakes made on purpose.

The templates go to CloudFormation directly, which is faster than the CLI for so many.
"""

import json
from collections.abc import Callable

from e2e.app import DOMAIN, Application
from e2e.backend import Backend
from e2e.cloud import ACCOUNT, REGION
from e2e.frontend import Frontend
from e2e.frontend_invariants import EDGE_REGION
from e2e.stack import Json, Stack
from e2e.templates import Template, resource

Mutation = Callable[[Template], None]


def deploy_mutant(app: Application, name: str, *mutations: Mutation) -> Backend:
    """Deploy the backend once more, mutated."""
    template = _renamed(app, app.backend, name)
    _deploy(app, name, template, mutations)
    return Backend(app.cloud, name)


def deploy_mutant_site(app: Application, name: str, *mutations: Mutation) -> Frontend:
    """Deploy the frontend once more, mutated."""
    template = _renamed(app, app.frontend, name)
    # In place of the one of the stack in the other region.
    acm = app.cloud.client("acm", EDGE_REGION)
    arn = acm.request_certificate(DomainName=f"app-{name}.{DOMAIN}")["CertificateArn"]
    distribution = resource(template, "AWS::CloudFront::Distribution")
    certificate = distribution["Properties"]["DistributionConfig"]["ViewerCertificate"]
    certificate["AcmCertificateArn"] = arn
    # CDK's own name for it is one of the stack.
    resource(template, "AWS::CloudFront::Function")["Properties"]["Name"] = name
    _deploy(app, name, template, mutations)
    return Frontend(app.cloud, name)


def _renamed(app: Application, stack: Stack, name: str) -> Json:
    """The template of a stack with other names where all share one account."""
    text = json.dumps(app.template(stack))
    text = text.replace(f"-{app.name}.{DOMAIN}", f"-{name}.{DOMAIN}")
    text = text.replace(f'"{app.name}-smtp"', f'"{name}-smtp"')
    template: Json = json.loads(text)
    for output in template["Outputs"].values():
        output.pop("Export", None)
    return template


def _deploy(app: Application, name: str, template: Json, mutations: tuple[Mutation, ...]) -> None:
    for mutate in mutations:
        mutate(Template(template["Resources"]))
    bucket, key = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}", f"{name}.json"
    app.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(template))
    app.cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateURL=f"{app.cloud.url}/{bucket}/{key}",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        # The reasons are there, and the rest is deleted with the emulator.
        OnFailure="DO_NOTHING",
    )
    Stack(app.cloud, name).wait()
