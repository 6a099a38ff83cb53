"""Work out how long a deployment of the example application takes, and what it waits for.

The order comes from the synthesized templates: a resource waits for those that it refers to or
depends on, and a stack for those that it takes something from. How long each resource takes is a
table, DURATIONS, each entry with its source. The longest way through both is the critical path.

`npm run generate` writes the tables in docs/performance.md; with `--check` it only says whether
they are up to date.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marked import put_between
from shapes import SHAPES, Json, StackTemplate, synthesize

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
DURATIONS_MARKS = ("<!-- durations: begin -->", "<!-- durations: end -->")
PATHS_MARKS = ("<!-- deployments: begin -->", "<!-- deployments: end -->")

# As the example's README and workflow deploy.
CONCURRENCY = 2

# Shorter steps are added up in a path.
SHORT = 45

ESTIMATE = "estimate"
_BENCHMARKS = (
    "[stacks measured by cdkd](https://github.com/go-to-k/cdkd/blob/main/docs/benchmarks.md)"
)
_WAITS = "[cdkd's list of waits](https://github.com/go-to-k/cdkd/blob/main/docs/cli-reference.md)"
_TERRAFORM = "https://github.com/hashicorp/terraform/issues"

# Before its first event and after its last one a stack has a change set and polling.
STACK = 20
# Fargate: a machine and a network interface, then the image.
TASK_START = 75
_TASK_SOURCE = (
    "30 to 45 s or longer: "
    "[re:Post](https://www.repost.aws/ja/questions/QUjZAzJd27SZWxXM7MgyxOZw/how-to-speed-up-provisioning-of-ecs-fargate-task);"
    f" 30 s for the image: {ESTIMATE}"
)
# ECS notices by itself that a target has left and a task has stopped.
TASK_STOP = 30
HANDLER_POLL = 10
SETUP_STEPS = {"create": 60, "update": 30}
SITE_BUILD = {"machine": 60, "build": 90, "publication": 30}


@dataclass(frozen=True)
class Duration:
    """How many seconds a resource takes, and who says so.

    Attributes:
        label: What the page calls it.
        create: Seconds of a creation.
        update: Seconds of an update in place.
        source: Where the figures come from, as Markdown.
        at_most: What the page adds to the update.
    """

    label: str
    create: float
    update: float
    source: str
    at_most: str = ""


def _service(service: Json, resources: Json) -> Duration:
    """A rolling update ends when the new tasks are healthy and the old ones have stopped."""
    groups = [
        resources[target["TargetGroupArn"]["Ref"]]["Properties"]
        for target in service.get("LoadBalancers", [])
    ]
    healthy = max(
        (int(g["HealthCheckIntervalSeconds"]) * int(g["HealthyThresholdCount"]) for g in groups),
        default=0,
    )
    longest = max((_drain(group) for group in groups), default=0)
    start = TASK_START + healthy
    return Duration(
        "web service",
        start,
        start + TASK_STOP,
        f"task's start as above, health checks by the template ({healthy} s); an update also "
        f"stops the old task ({TASK_STOP} s, {ESTIMATE}), which "
        "[ends at once](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html)"
        " when no request is under way",
        f" (up to {longest // 60} more while an upload is under way: `deregistration_delay`)",
    )


def _drain(group: Json) -> int:
    attributes = {each["Key"]: each["Value"] for each in group.get("TargetGroupAttributes", [])}
    return int(attributes.get("deregistration_delay.timeout_seconds", 300))


def _database(database: Json, _resources: Json) -> Duration:
    source = f"[terraform#498]({_TERRAFORM}/498), and {_WAITS} (5 to 10 minutes)"
    if database.get("MultiAZ"):
        return Duration(
            "database, Multi-AZ", 1050, 300, f"15 to 20 minutes: [terraform#498]({_TERRAFORM}/498)"
        )
    return Duration("database", 450, 300, f"5 to 10 minutes: {source}")


_SETUP = Duration(
    "setup",
    TASK_START + SETUP_STEPS["create"] + HANDLER_POLL,
    TASK_START + SETUP_STEPS["update"] + HANDLER_POLL,
    f"task's start as above; migrations and the other steps ({SETUP_STEPS['create']} s on an "
    f"empty database, {SETUP_STEPS['update']} s later: {ESTIMATE}, yours may take longer); the "
    f"handler asks every {HANDLER_POLL} s",
)
_HANDLER = Duration("custom resource", 20, 20, ESTIMATE)
_IAM = Duration("IAM role, policy", 20, 20, _BENCHMARKS)
_SECONDS = Duration("any other resource", 15, 15, f"{ESTIMATE}, as in {_BENCHMARKS}")

# By type, or worked out from the properties and the template's resources.
DURATIONS: dict[str, Duration | Callable[[Json, Json], Duration]] = {
    "AWS::CertificateManager::Certificate": Duration(
        "certificate",
        180,
        15,
        "1 to 5 minutes: "
        "[a walkthrough](https://runbook.ibtisam-iq.com/projects/deployments/static-website/cloudfront-cdn/);"
        f" 38 s in [terraform#21687]({_TERRAFORM}/21687)",
    ),
    "AWS::CloudFront::Distribution": Duration(
        "distribution",
        240,
        240,
        "within 5 minutes: "
        "[AWS](https://aws.amazon.com/blogs/networking-and-content-delivery/slashing-cloudfront-change-propagation-times-in-2020-recent-changes-and-looking-forward/);"
        f" 3 in {_BENCHMARKS}",
    ),
    "AWS::EC2::Instance": Duration("NAT instance", 45, 45, f"30 to 60 s: {_WAITS}"),
    "AWS::EC2::NatGateway": Duration("NAT gateway", 120, 15, f"1 to 2 minutes: {_WAITS}"),
    "AWS::ECS::Service": _service,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Duration(
        "load balancer", 150, 15, f"90 to 180 s: {_WAITS}"
    ),
    "AWS::IAM::InstanceProfile": Duration(
        "instance profile", 120, 120, f"CloudFormation waits: [terraform#15341]({_TERRAFORM}/15341)"
    ),
    "AWS::RDS::DBInstance": _database,
    "AWS::Route53::RecordSet": Duration(
        "DNS record",
        60,
        60,
        "[AWS](https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-editing.html)",
    ),
    "AWS::SQS::Queue": Duration("queue", 60, 60, _BENCHMARKS),
    "AWS::S3::Bucket": Duration("bucket", 20, 20, _BENCHMARKS),
    "Custom::GalvReleaseTask": _SETUP,
    "Custom::GalvSiteRelease": Duration(
        "site's build",
        sum(SITE_BUILD.values()),
        sum(SITE_BUILD.values()),
        "CodeBuild's machine ({machine} s), build ({build} s), publication ({publication} s): "
        "{estimate}".format(**SITE_BUILD, estimate=ESTIMATE),
    ),
    # None in a first deployment.
    "Custom::GalvRestorePoint": Duration("snapshot of the database", 10, 180, ESTIMATE),
    "Custom::GalvMirroredImage": Duration("copy of an image", 60, 60, ESTIMATE),
    **dict.fromkeys(
        (
            "Custom::GalvDatabaseLogin",
            "Custom::GalvPreflight",
            "Custom::GalvProtection",
            "Custom::GalvSleep",
            "Custom::GalvSmtpCredentials",
            "Custom::GalvWake",
            "Custom::LogRetention",
            "Custom::S3AutoDeleteObjects",
            "Custom::VpcRestrictDefaultSG",
        ),
        _HANDLER,
    ),
    **dict.fromkeys(
        (
            "AWS::IAM::Group",
            "AWS::IAM::ManagedPolicy",
            "AWS::IAM::Policy",
            "AWS::IAM::Role",
            "AWS::IAM::User",
        ),
        _IAM,
    ),
    "AWS::KMS::Key": Duration("KMS key", 40, 40, _BENCHMARKS),
    **dict.fromkeys(
        (
            "AWS::ApplicationAutoScaling::ScalableTarget",
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            "AWS::CloudFormation::WaitConditionHandle",
            "AWS::CloudFront::CachePolicy",
            "AWS::CloudFront::Function",
            "AWS::CloudFront::OriginAccessControl",
            "AWS::CloudFront::ResponseHeadersPolicy",
            "AWS::CloudWatch::Alarm",
            "AWS::CodeBuild::Project",
            "AWS::EC2::EIP",
            "AWS::EC2::FlowLog",
            "AWS::EC2::InternetGateway",
            "AWS::EC2::LaunchTemplate",
            "AWS::EC2::Route",
            "AWS::EC2::RouteTable",
            "AWS::EC2::SecurityGroup",
            "AWS::EC2::SecurityGroupEgress",
            "AWS::EC2::SecurityGroupIngress",
            "AWS::EC2::Subnet",
            "AWS::EC2::SubnetRouteTableAssociation",
            "AWS::EC2::VPC",
            "AWS::EC2::VPCEndpoint",
            "AWS::EC2::VPCGatewayAttachment",
            "AWS::ECR::Repository",
            "AWS::ECS::Cluster",
            "AWS::ECS::TaskDefinition",
            "AWS::ElasticLoadBalancingV2::Listener",
            "AWS::ElasticLoadBalancingV2::ListenerRule",
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            "AWS::Events::Rule",
            "AWS::KMS::Alias",
            "AWS::Lambda::EventInvokeConfig",
            "AWS::Lambda::Function",
            "AWS::Lambda::Permission",
            "AWS::Logs::LogGroup",
            "AWS::RDS::DBParameterGroup",
            "AWS::RDS::DBSubnetGroup",
            "AWS::S3::BucketPolicy",
            "AWS::SES::ConfigurationSet",
            "AWS::SES::ConfigurationSetEventDestination",
            "AWS::SES::EmailIdentity",
            "AWS::SNS::Subscription",
            "AWS::SNS::Topic",
            "AWS::SNS::TopicPolicy",
            "AWS::SQS::QueuePolicy",
            "AWS::Scheduler::Schedule",
            "AWS::Scheduler::ScheduleGroup",
            "AWS::SecretsManager::Secret",
            "AWS::SecretsManager::SecretTargetAttachment",
            "AWS::StepFunctions::StateMachine",
            "AWS::WAFv2::LoggingConfiguration",
            "AWS::WAFv2::WebACL",
            "AWS::WAFv2::WebACLAssociation",
        ),
        _SECONDS,
    ),
}

# A new one takes the place of the old one whatever property changes.
REPLACED = {"AWS::ECS::TaskDefinition"}

# Each kind of deployment changes a deployed example with these versions.
BEFORE: dict[str, object] = {"backendVersion": "v2.11.4", "frontendVersion": "v2.2.0"}
FIRST = "the first one"
CHANGES: dict[str, dict[str, object]] = {
    "a new `backendVersion`": {"backendVersion": "v2.12.0"},
    "a new `frontendVersion`": {"frontendVersion": "v2.3.0"},
    "another `DJANGO_LOG_LEVEL`": {"backendEnvironment": {"DJANGO_LOG_LEVEL": "DEBUG"}},
}
# There the site's certificate has a stack of its own.
ELSEWHERE = "natGateway, production, not in us-east-1"
ENVIRONMENT = {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "eu-west-2"}


@dataclass(frozen=True)
class Step:
    """A part of a critical path."""

    label: str
    seconds: float


@dataclass(frozen=True)
class CriticalPath:
    """The steps that a deployment cannot be shorter than."""

    steps: tuple[Step, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """How long they take together."""
        return sum(step.seconds for step in self.steps)


def references(resource: Json, known: Iterable[str]) -> set[str]:
    """Return the logical ids among the known ones that the properties of a resource refer to."""
    return set(_referred(resource.get("Properties", {}))) & set(known)


def _referred(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _referred(each)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner.split(".")[0] if isinstance(inner, str) else inner[0]
            elif key == "Fn::Sub":
                text, *variables = inner if isinstance(inner, list) else [inner]
                given = variables[0] if variables else {}
                names = re.findall(r"\$\{([^}]+)\}", text)
                yield from (
                    name.split(".")[0].strip() for name in names if name.strip() not in given
                )
                yield from _referred(given)
            else:
                yield from _referred(inner)


def predecessors(resource: Json, known: Iterable[str]) -> set[str]:
    """Return the logical ids that CloudFormation creates before a resource."""
    depends = resource.get("DependsOn", [])
    named = {depends} if isinstance(depends, str) else set(depends)
    return references(resource, known) | named & set(known)


def changes(old: Json, new: Json) -> dict[str, bool]:
    """Return which resources of the new template change, and whether each is a new one.

    What refers to a new resource changes with it. An update in place keeps what others refer to.
    """
    before, after = old["Resources"], new["Resources"]
    found: dict[str, bool] = {}
    for logical_id, resource in after.items():
        previous = before.get(logical_id)
        if previous is None or previous["Type"] != resource["Type"]:
            found[logical_id] = True
        elif previous.get("Properties") != resource.get("Properties"):
            found[logical_id] = resource["Type"] in REPLACED
    while True:
        replaced = [logical_id for logical_id, is_new in found.items() if is_new]
        more = {
            logical_id: resource["Type"] in REPLACED
            for logical_id, resource in after.items()
            if logical_id not in found and references(resource, replaced)
        }
        if not more:
            return found
        found |= more


def duration(resource: Json, resources: Json) -> Duration:
    """Return how long a resource of a template takes."""
    typical = DURATIONS.get(resource["Type"])
    if typical is None:
        raise ValueError(f"DURATIONS has no {resource['Type']}: add it, with its source")
    if isinstance(typical, Duration):
        return typical
    return typical(resource.get("Properties", {}), resources)


def stack_path(new: Json, old: Json | None = None) -> CriticalPath:
    """Return the critical path of creating a stack, or of updating it from an old template.

    A stack without changes takes no time: the CDK CLI does not deploy it.
    """
    resources = new["Resources"]
    changed = dict.fromkeys(resources, True) if old is None else changes(old, new)
    if not changed:
        return CriticalPath()
    paths: dict[str, tuple[Step, ...]] = {}
    waiting: list[str] = []

    def path(logical_id: str) -> tuple[Step, ...]:
        if logical_id in waiting:
            raise ValueError(f"a cycle: {' → '.join([*waiting, logical_id])}")
        if logical_id not in paths:
            waiting.append(logical_id)
            resource = resources[logical_id]
            before = _longest(path(each) for each in sorted(predecessors(resource, resources)))
            waiting.pop()
            own: tuple[Step, ...] = ()
            if logical_id in changed:
                typical = duration(resource, resources)
                seconds = typical.create if changed[logical_id] else typical.update
                own = (Step(typical.label, seconds),)
            paths[logical_id] = before + own
        return paths[logical_id]

    longest = _longest(path(logical_id) for logical_id in resources)
    return CriticalPath((Step("stack", STACK), *longest))


def _longest(paths: Iterable[tuple[Step, ...]]) -> tuple[Step, ...]:
    return max(paths, key=lambda steps: sum(step.seconds for step in steps), default=())


def deployment_path(
    new: Sequence[StackTemplate],
    old: Sequence[StackTemplate] | None = None,
    *,
    concurrency: int = CONCURRENCY,
) -> CriticalPath:
    """Return the critical path of deploying stacks, as many at a time as `--concurrency` says.

    A stack begins when those it depends on are complete and a place is free, in their order.
    """
    before = {} if old is None else {stack.name: stack.template for stack in old}
    own = {stack.name: stack_path(stack.template, before.get(stack.name)) for stack in new}
    begun: dict[str, CriticalPath] = {}
    complete: set[str] = set()
    now = CriticalPath()
    while len(complete) < len(new):
        for stack in new:
            has_place = len(begun) - len(complete) < concurrency
            if has_place and stack.name not in begun and complete.issuperset(stack.dependencies):
                begun[stack.name] = CriticalPath(now.steps + own[stack.name].steps)
        running = [name for name in begun if name not in complete]
        if not running:
            raise ValueError(f"a cycle among the stacks {sorted(own.keys() - complete)}")
        first = min(running, key=lambda name: begun[name].seconds)
        complete.add(first)
        now = begun[first]
    return now


def all_paths(concurrency: int = CONCURRENCY) -> dict[str, dict[str, CriticalPath]]:
    """Return the critical path of each kind of deployment, for each shape of the example."""
    paths: dict[str, dict[str, CriticalPath]] = {}
    for shape, context in {**SHAPES, ELSEWHERE: {}}.items():
        environment = ENVIRONMENT if shape == ELSEWHERE else None
        before = synthesize({**BEFORE, **context}, environment=environment)
        paths[shape] = {FIRST: deployment_path(before, concurrency=concurrency)}
        for kind, change in CHANGES.items():
            after = synthesize({**BEFORE, **context, **change}, environment=environment)
            paths[shape][kind] = deployment_path(after, before, concurrency=concurrency)
    return paths


def in_words(path: CriticalPath) -> str:
    """Return the steps of a path with their minutes, short ones together."""
    long = [step for step in path.steps if step.seconds >= SHORT]
    rest = path.seconds - sum(step.seconds for step in long)
    steps = " → ".join(f"{step.label} {_minutes(step.seconds)}" for step in long)
    return f"{steps}; the rest {_minutes(rest)}"


def paths_table(shapes: Mapping[str, Mapping[str, CriticalPath]]) -> str:
    """Return the table of critical paths for the page; shapes with the same one share a row."""
    rows = [
        "| what is deployed | shape | minutes | what it waits for |",
        "| --- | --- | ---: | --- |",
    ]
    for kind in next(iter(shapes.values())):
        same: dict[tuple[str, str], list[str]] = {}
        for shape, paths in shapes.items():
            key = (_minutes(paths[kind].seconds), in_words(paths[kind]))
            same.setdefault(key, []).append(shape)
        for (minutes, words), names in same.items():
            which = "all" if len(names) == len(shapes) else "<br>".join(names)
            rows.append(f"| {kind} | {which} | {minutes} | {words} |")
    return "\n".join(rows)


def durations_table(service: Duration) -> str:
    """Return the table of durations for the page."""
    listed = [
        Duration("a stack: change set, events", STACK, STACK, _BENCHMARKS),
        Duration("start of a task", TASK_START, TASK_START, _TASK_SOURCE),
        _database({"MultiAZ": True}, {}),
        _database({}, {}),
        service,
        *(typical for typical in DURATIONS.values() if isinstance(typical, Duration)),
    ]
    rows = [
        f"| {each.label} | {_minutes(each.create)} | {_minutes(each.update)}{each.at_most} "
        f"| {each.source} |"
        for each in dict.fromkeys(listed)
    ]
    header = ["| what | created in minutes | updated in | source |", "| --- | ---: | ---: | --- |"]
    return "\n".join([*header, *rows])


def example_service() -> Duration:
    """Return how long the example's web service takes."""
    for stack in synthesize(BEFORE):
        resources = stack.template["Resources"]
        for resource in resources.values():
            if resource["Type"] == "AWS::ECS::Service":
                return duration(resource, resources)
    raise ValueError("the example has no service")


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def updated(page: str, durations: str, paths: str) -> str:
    """Return the page with tables of today."""
    page = put_between(page, *DURATIONS_MARKS, durations)
    return put_between(page, *PATHS_MARKS, paths)


def main() -> int:
    """Write, check or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--print", action="store_true", help="print the paths, and write nothing")
    parser.add_argument(
        "--concurrency", type=int, default=CONCURRENCY, help="of `cdk deploy`, for --print"
    )
    arguments = parser.parse_args()
    if arguments.print:
        print(paths_table(all_paths(arguments.concurrency)))
        return 0
    old = PAGE.read_text()
    new = updated(old, durations_table(example_service()), paths_table(all_paths()))
    if not arguments.check:
        PAGE.write_text(new)
    elif new != old:
        print("docs/performance.md is out of date: run `npm run generate`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
