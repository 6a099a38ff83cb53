"""Work out how many laboratories an account has room for, and measure what each takes.

The laboratories are those of examples/platform-app, in production and with a database each. How
many resources a laboratory has comes from the synthesized templates; what AWS allows is a table,
QUOTAS, each entry with the page of AWS that it comes from.

`npm run generate` writes the quotas in docs/scale.md; with `--check` it only says whether they are
up to date. `python tools/scale.py --measure` also measures the synthesis of 1, 10 and 100
laboratories, which takes minutes, and writes that table.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before jsii loads CDK: CloudFormation's validation is a time of its own.
os.environ.setdefault("CDK_VALIDATION", "false")

from marked import put_between

Json = Mapping[str, Any]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "scale.md"
EXAMPLE = ROOT / "examples" / "platform-app"
QUOTA_MARKS = ("<!-- quotas: begin -->", "<!-- quotas: end -->")
MEASURED_MARKS = ("<!-- measured: begin -->", "<!-- measured: end -->")
NUMBERS = (1, 10, 100)

_AWS = "https://docs.aws.amazon.com"
_CLOUDFORMATION = f"{_AWS}/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"
_CLOUDFRONT = f"{_AWS}/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"
_ECS = f"{_AWS}/AmazonECS/latest/developerguide/service-quotas.html"
_ELB = f"{_AWS}/elasticloadbalancing/latest/application/load-balancer-limits.html"
_IAM = f"{_AWS}/IAM/latest/UserGuide/reference_iam-quotas.html"
_RDS = f"{_AWS}/AmazonRDS/latest/UserGuide/CHAP_Limits.html"
_ROUTE_53 = f"{_AWS}/Route53/latest/DeveloperGuide/DNSLimitations.html"
_VPC = f"{_AWS}/vpc/latest/userguide/amazon-vpc-limits.html"
# AWS keeps five addresses of each subnet: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
_RESERVED = 5


@dataclass(frozen=True, kw_only=True)
class Use:
    """How much of something the shared stack has, and each laboratory."""

    shared: float
    each: float


Count = Callable[[Json, Json], Use]


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What AWS allows, unless somebody asked for more."""

    name: str
    limit: float
    page: str
    count: Count
    adjustable: bool = True

    def room(self, shared: Json, laboratory: Json) -> int:
        """Return how many laboratories fit."""
        use = self.count(shared, laboratory)
        return int((self.limit - use.shared) // use.each)


def _resources(template: Json, *types: str) -> list[Json]:
    return [one for one in template["Resources"].values() if one["Type"] in types]


def _of(*types: str) -> Count:
    """Count resources of some types."""
    return lambda shared, laboratory: Use(
        shared=len(_resources(shared, *types)), each=len(_resources(laboratory, *types))
    )


def _stacks(_shared: Json, _laboratory: Json) -> Use:
    return Use(shared=1, each=1)


def _rules_of_the_load_balancer(shared: Json, laboratory: Json) -> Use:
    """Count what its security group lets out, a rule for the tasks of each laboratory."""
    (group,) = _resources(shared, "AWS::EC2::SecurityGroup")
    rules = [
        one
        for one in _resources(laboratory, "AWS::EC2::SecurityGroupEgress")
        if "LoadBalancer" in json.dumps(one["Properties"]["GroupId"])
    ]
    own = group["Properties"].get("SecurityGroupEgress", [])
    # CDK writes one that allows nothing where there would be none.
    return Use(shared=len([rule for rule in own if "127" not in rule["CidrIp"]]), each=len(rules))


def _addresses(_shared: Json, laboratory: Json) -> Use:
    """Count addresses of the subnets of tasks: web tasks, and as many while they are replaced."""
    target = _resources(laboratory, "AWS::ApplicationAutoScaling::ScalableTarget")
    return Use(shared=0, each=2 * sum(one["Properties"]["MaxCapacity"] for one in target))


def _vcpus(_shared: Json, laboratory: Json) -> Use:
    """Count vCPUs of the web tasks that always run, and of as many while they are replaced."""
    (target,) = _resources(laboratory, "AWS::ApplicationAutoScaling::ScalableTarget")
    (service,) = _resources(laboratory, "AWS::ECS::Service")
    definition = laboratory["Resources"][service["Properties"]["TaskDefinition"]["Ref"]]
    cpu = int(definition["Properties"]["Cpu"]) / 1024
    return Use(shared=0, each=2 * cpu * target["Properties"]["MinCapacity"])


def _task_addresses(shared: Json) -> int:
    """Count the addresses of the subnets that tasks are in."""
    subnets = {
        id: one["Properties"]["CidrBlock"]
        for id, one in shared["Resources"].items()
        if one["Type"] == "AWS::EC2::Subnet" and "TasksSubnet" in id
    }
    return sum(2 ** (32 - int(cidr.partition("/")[2])) - _RESERVED for cidr in subnets.values())


def quotas(shared: Json) -> list[Quota]:
    """Return what AWS allows in an account, a Region, a VPC or at a load balancer."""
    return [
        Quota(
            name="Custom cache policies of CloudFront",
            limit=20,
            page=_CLOUDFRONT,
            count=_of("AWS::CloudFront::CachePolicy"),
        ),
        Quota(
            name="vCPUs of Fargate, all web tasks replaced at the same time",
            limit=6,
            page=_ECS,
            count=_vcpus,
        ),
        Quota(name="IAM roles", limit=1_000, page=_IAM, count=_of("AWS::IAM::Role")),
        Quota(name="Instances of RDS", limit=40, page=_RDS, count=_of("AWS::RDS::DBInstance")),
        Quota(
            name="Subnet groups of RDS", limit=50, page=_RDS, count=_of("AWS::RDS::DBSubnetGroup")
        ),
        Quota(
            name="Parameter groups of RDS",
            limit=50,
            page=_RDS,
            count=_of("AWS::RDS::DBParameterGroup"),
        ),
        Quota(
            name="Rules of a security group: outbound, of the load balancer",
            limit=60,
            page=_VPC,
            count=_rules_of_the_load_balancer,
        ),
        Quota(
            name="Rules of a load balancer",
            limit=100,
            page=_ELB,
            count=_of("AWS::ElasticLoadBalancingV2::ListenerRule"),
        ),
        Quota(
            name="Target groups of a load balancer",
            limit=100,
            page=_ELB,
            count=_of("AWS::ElasticLoadBalancingV2::TargetGroup"),
            adjustable=False,
        ),
        Quota(
            name="Origin access controls of CloudFront",
            limit=100,
            page=_CLOUDFRONT,
            count=_of("AWS::CloudFront::OriginAccessControl"),
        ),
        Quota(
            name="Distributions of CloudFront",
            limit=500,
            page=_CLOUDFRONT,
            count=_of("AWS::CloudFront::Distribution"),
        ),
        Quota(name="Groups of IAM", limit=300, page=_IAM, count=_of("AWS::IAM::Group")),
        Quota(
            name="Customer managed policies of IAM",
            limit=1_500,
            page=_IAM,
            count=_of("AWS::IAM::ManagedPolicy"),
        ),
        Quota(
            name="Users of IAM",
            limit=5_000,
            page=_IAM,
            count=_of("AWS::IAM::User"),
            adjustable=False,
        ),
        Quota(
            name="Security groups of a Region",
            limit=2_500,
            page=_VPC,
            count=_of("AWS::EC2::SecurityGroup"),
        ),
        Quota(
            name="Addresses in the subnets of the tasks, all web tasks replaced at the same time",
            limit=_task_addresses(shared),
            page=f"{_AWS}/vpc/latest/userguide/subnet-sizing.html",
            count=_addresses,
            adjustable=False,
        ),
        Quota(
            name="Groups of schedules",
            limit=500,
            page=f"{_AWS}/scheduler/latest/UserGuide/scheduler-quotas.html",
            count=_of("AWS::Scheduler::ScheduleGroup"),
        ),
        Quota(
            name="Records of a hosted zone",
            limit=10_000,
            page=_ROUTE_53,
            count=_of("AWS::Route53::RecordSet"),
        ),
        Quota(name="Stacks", limit=2_000, page=_CLOUDFORMATION, count=_stacks),
        Quota(
            name="Alarms of CloudWatch",
            limit=5_000,
            page=f"{_AWS}/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html",
            count=_of("AWS::CloudWatch::Alarm"),
        ),
        Quota(
            name="Services of an ECS cluster",
            limit=5_000,
            page=_ECS,
            count=_of("AWS::ECS::Service"),
        ),
        Quota(
            name="Buckets of S3",
            limit=10_000,
            page=f"{_AWS}/AmazonS3/latest/userguide/BucketRestrictions.html",
            count=_of("AWS::S3::Bucket"),
        ),
        Quota(
            name="Identities of SES",
            limit=10_000,
            page=f"{_AWS}/ses/latest/dg/quotas.html",
            count=_of("AWS::SES::EmailIdentity"),
        ),
        Quota(
            name="Repositories of ECR",
            limit=100_000,
            page=f"{_AWS}/AmazonECR/latest/userguide/service-quotas.html",
            count=_of("AWS::ECR::Repository"),
        ),
        Quota(
            name="Secrets",
            limit=500_000,
            page=f"{_AWS}/secretsmanager/latest/userguide/reference_limits.html",
            count=_of("AWS::SecretsManager::Secret"),
        ),
        Quota(
            name="Log groups, those of Lambda functions too",
            limit=1_000_000,
            page=f"{_AWS}/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html",
            count=_of("AWS::Logs::LogGroup", "AWS::Lambda::Function"),
        ),
    ]


def synthesize(number: int, folder: Path) -> list[Json]:
    """Synthesize a number of laboratories; return the shared template, and theirs."""
    sys.path.insert(0, str(EXAMPLE))
    from aws_cdk import App  # noqa: PLC0415 - what loading it takes is measured
    from platform_app.galv_stack import GalvStack  # noqa: PLC0415 - needs the path
    from platform_app.shared_stack import SharedStack  # noqa: PLC0415

    context = json.loads((EXAMPLE / "cdk.json").read_text())["context"]
    app = App(context=context, outdir=str(folder), tree_metadata=False)
    shared = SharedStack(app, "Shared", zone_id=context["zoneId"], zone_name=context["zoneName"])
    names = [f"lab{index}" for index in range(1, number + 1)]
    for name in names:
        GalvStack(app, name.title(), shared=shared, name=name, version="v2.11.4")
    app.synth()
    return [
        json.loads((folder / f"{name}.template.json").read_text())
        for name in ("Shared", *(name.title() for name in names))
    ]


def templates() -> tuple[Json, Json]:
    """Return the templates of the shared stack and of one laboratory."""
    with tempfile.TemporaryDirectory() as folder:
        shared, laboratory = synthesize(1, Path(folder))
    return shared, laboratory


def quota_table(shared: Json, laboratory: Json) -> str:
    """Return what fits, the least of it first."""
    rows = sorted(quotas(shared), key=lambda quota: quota.room(shared, laboratory))
    lines = [
        "| what | AWS allows | each laboratory | laboratories |",
        "| --- | ---: | ---: | ---: |",
    ]
    for quota in rows:
        use = quota.count(shared, laboratory)
        more = "" if quota.adjustable else ", fixed"
        lines.append(
            f"| [{quota.name}]({quota.page}) | {quota.limit:,.0f}{more} | {use.each:g} | "
            f"**{quota.room(shared, laboratory):,}** |"
        )
    return "\n".join(lines)


def stack_table(shared: Json, laboratory: Json) -> str:
    """Return how far stacks are from what CloudFormation allows for one."""
    lines = [
        "| stack | resources of 500 | outputs of 200 | template of 1 MB |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, template in (("shared", shared), ("a laboratory", laboratory)):
        outputs = len(template.get("Outputs", {}))
        # To tens: every change of a text would be one of the page.
        kilobytes = round(len(json.dumps(template, indent=1)) / 1000, -1)
        lines.append(f"| {name} | {len(template['Resources'])} | {outputs} | {kilobytes:.0f} kB |")
    return "\n".join(lines)


def longest_policy(laboratory: Json) -> int:
    """Return the characters of all inline policies of the role that has most.

    IAM counts no white space; references are counted as long as their text in the template.
    """
    found: Counter[str] = Counter()
    for policy in _resources(laboratory, "AWS::IAM::Policy"):
        document = json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))
        for role in policy["Properties"].get("Roles", []):
            found[json.dumps(role)] += len(document)
    return max(found.values())


def functions_sentence(laboratory: Json) -> str:
    """Return what the Lambda functions of a laboratory have in common."""
    functions = _resources(laboratory, "AWS::Lambda::Function")
    codes = Counter(json.dumps(one["Properties"]["Code"]) for one in functions)
    return (
        f"A laboratory has {len(functions)} Lambda functions with {len(codes)} codes, and "
        f"{len(_resources(laboratory, 'AWS::IAM::Role'))} roles. The longest inline policies of a "
        f"role are {longest_policy(laboratory):,} characters of 10,240."
    )


def counted(shared: Json, laboratory: Json) -> str:
    """Return all that is counted."""
    return "\n\n".join(
        [
            quota_table(shared, laboratory),
            stack_table(shared, laboratory),
            functions_sentence(laboratory),
        ]
    )


def measure(number: int) -> Json:
    """Synthesize laboratories in a process of its own; return what it took."""
    command = [sys.executable, str(Path(__file__)), "--laboratories", str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: Json = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure_here(number: int) -> Json:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        synthesize(number, Path(folder))
        return {
            "seconds": time.perf_counter() - start,
            # In KiB: https://man7.org/linux/man-pages/man2/getrusage.2.html
            "python": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "node": _most_memory_of_children(),
            "megabytes": sum(file.stat().st_size for file in Path(folder).glob("*.template.json"))
            / 1e6,
        }


def _most_memory_of_children(process: str = "self") -> float:
    """Return the most memory that processes started from here have had, in MiB."""
    found = 0.0
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            status = Path(f"/proc/{child}/status").read_text()
            (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
            # jsii starts Node by way of another Node.
            found += int(line.split()[1]) / 1024 + _most_memory_of_children(child)
    return found


def measured_table(rows: Mapping[int, Json]) -> str:
    """Return what the syntheses took."""
    (first, one), *_ = rows.items()
    lines = [
        "| laboratories | seconds | for each more | memory of Python | of Node | templates |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for number, row in rows.items():
        more = (
            "" if number == first else f"{(row['seconds'] - one['seconds']) / (number - first):.2f}"
        )
        lines.append(
            f"| {number} | {row['seconds']:.1f} | {more} | {row['python']:.0f} MiB | "
            f"{row['node']:.0f} MiB | {row['megabytes']:.1f} MB |"
        )
    return "\n".join(lines)


def updated(page: str) -> str:
    """Return the page with the quotas of today."""
    return put_between(page, *QUOTA_MARKS, counted(*templates()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, check or measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="say whether the page is up to date")
    parser.add_argument("--measure", action="store_true", help="measure too, for minutes")
    parser.add_argument("--laboratories", type=int, metavar="N", help="measure N, here")
    options = parser.parse_args(arguments)
    if options.laboratories:
        print(json.dumps(_measure_here(options.laboratories)))
        return 0
    old = PAGE.read_text()
    new = updated(old)
    if options.measure:
        rows = {number: measure(number) for number in NUMBERS}
        new = put_between(new, *MEASURED_MARKS, measured_table(rows))
    if not options.check:
        PAGE.write_text(new)
    elif new != old:
        print("docs/scale.md is out of date: run `npm run generate`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
