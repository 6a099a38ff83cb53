"""What the resources of a template cost in a month in which nobody uses them.

US dollars a month of 730 hours, on-demand list prices of us-east-1 without free tiers, as of
November 2026. The pages that they are from stand beside them.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]
Costs = dict[str, float]

HOURS = 730

# https://aws.amazon.com/vpc/pricing/: a public IPv4 address, a NAT gateway, and a GB through it;
# https://aws.amazon.com/privatelink/pricing/: an interface endpoint in one Availability Zone.
# What comes from the internet into AWS costs nothing by itself.
ADDRESS = 0.005 * HOURS
NAT_GATEWAY = 0.045 * HOURS
NAT_GIB = 0.045
ENDPOINT = 0.01 * HOURS
# https://aws.amazon.com/elasticloadbalancing/pricing/, without capacity units.
LOAD_BALANCER = 16.43
# https://aws.amazon.com/fargate/pricing/: a vCPU and a GB of memory by architecture, a GB of disk
# beyond 20, and "up to a 70% discount" on Spot, whose price changes with what AWS has to spare.
VCPU = {"X86_64": 0.04048 * HOURS, "ARM64": 0.03238 * HOURS}
GIB = {"X86_64": 0.004445 * HOURS, "ARM64": 0.00356 * HOURS}
TASK_DISK_GIB = 0.000111 * HOURS
FREE_TASK_DISK = 20
SPOT = 0.3
# https://aws.amazon.com/ec2/pricing/on-demand/ and https://aws.amazon.com/ebs/pricing/
INSTANCES = {"t4g.nano": 0.0042 * HOURS}
DISK_GIB = 0.08
# https://aws.amazon.com/rds/postgresql/pricing/, without a standby, which costs as much again.
DATABASES = {
    "db.t4g.micro": 0.016 * HOURS,
    "db.t4g.small": 0.032 * HOURS,
    "db.t4g.medium": 0.065 * HOURS,
    "db.t4g.large": 0.129 * HOURS,
}
DATABASE_GIB = 0.115
# https://aws.amazon.com/rds/aurora/pricing/: Aurora Standard. A paused cluster has no capacity:
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
ACU = 0.12 * HOURS
CLUSTER_GIB = 0.10
LEAST_CLUSTER = 10
# https://aws.amazon.com/backup/pricing/: snapshots of RDS. A first one holds at most the storage.
BACKUP_GIB = 0.095
# https://aws.amazon.com/secrets-manager/pricing/, https://aws.amazon.com/kms/pricing/ and
# https://aws.amazon.com/cloudwatch/pricing/
SECRET = 0.40
KEY = 1.00
ALARM = 0.10
# https://aws.amazon.com/ecr/pricing/
IMAGE_GIB = 0.10
# https://aws.amazon.com/waf/pricing/
WEB_ACL = 5.00
WEB_ACL_RULE = 1.00


def monthly_costs(templates: Iterable[Json], *, awake: float = 1) -> Costs:
    """Add up what the resources of templates cost in a month in which nobody uses them.

    Args:
        templates: The templates, each with all that its resources refer to.
        awake: Share of the time in which services and databases run; their storage, and all else,
            is there all the time. Default: 1.
    """
    costs: defaultdict[str, float] = defaultdict(float)
    for template in templates:
        resources = template["Resources"]
        for id, resource in resources.items():
            if price := _PRICES.get(resource["Type"]):
                for item, cost in price(resource.get("Properties", {}), resources).items():
                    costs[item] += cost
            elif price_awake := _PRICES_AWAKE.get(resource["Type"]):
                for item, cost in price_awake(id, resources, awake).items():
                    costs[item] += cost
    return dict(costs)


def task_price(definition: Json) -> float:
    """Return what a task of a definition costs that runs all the time."""
    architecture = definition.get("RuntimePlatform", {}).get("CpuArchitecture", "X86_64")
    disk = definition.get("EphemeralStorage", {}).get("SizeInGiB", FREE_TASK_DISK)
    return float(
        int(definition["Cpu"]) / 1024 * VCPU[architecture]
        + int(definition["Memory"]) / 1024 * GIB[architecture]
        + (disk - FREE_TASK_DISK) * TASK_DISK_GIB
    )


def _service(id: str, resources: Json, awake: float) -> Costs:
    service = resources[id]["Properties"]
    definition = resources[service["TaskDefinition"]["Ref"]]["Properties"]
    tasks = _least_tasks(id, resources)
    strategy = service.get("CapacityProviderStrategy", [])
    on_spot = any(item["CapacityProvider"] == "FARGATE_SPOT" for item in strategy)
    public = (
        service["NetworkConfiguration"]["AwsvpcConfiguration"].get("AssignPublicIp") == "ENABLED"
    )
    price = task_price(definition) * (SPOT if on_spot else 1)
    return {
        "tasks": awake * tasks * price,
        "public addresses": awake * tasks * ADDRESS if public else 0,
    }


def _least_tasks(service: str, resources: Json) -> int:
    """Return how many tasks of a service run when it has nothing to do."""
    for resource in resources.values():
        target = resource.get("Properties", {})
        if resource["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget" and (
            f'"{service}"' in json.dumps(target["ResourceId"])
        ):
            return int(target["MinCapacity"])
    # "Default: 1" for a new service:
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html
    return int(resources[service]["Properties"].get("DesiredCount", 1))


def _database(id: str, resources: Json, awake: float) -> Costs:
    database = resources[id]["Properties"]
    if "DBClusterIdentifier" in database:
        scaling = resources[database["DBClusterIdentifier"]["Ref"]]["Properties"]
        capacity = scaling["ServerlessV2ScalingConfiguration"]["MinCapacity"]
        return {"database": awake * capacity * ACU}
    size = database["DBInstanceClass"]
    if size not in DATABASES:
        raise ValueError(f"{size} has no price here: add it to DATABASES")
    # A replica has the storage of its source.
    source = database.get("SourceDBInstanceIdentifier")
    described = resources[_named(source)]["Properties"] if source else database
    storage = int(described["AllocatedStorage"]) * DATABASE_GIB
    copies = 2 if database.get("MultiAZ") else 1
    return {"database": copies * (awake * DATABASES[size] + storage)}


def _named(reference: Json) -> str:
    """Return the resource that a `Ref`, or an ARN that is joined of one, is of."""
    found = next(iter(_references(reference)))
    return str(found)


def _references(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        ref = value.get("Ref")
        if isinstance(ref, str) and not ref.startswith("AWS::"):
            yield ref
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _backups(plan: Json, resources: Json) -> Costs:
    """One backup of each database with all of its storage, and as much in each copy.

    Later ones hold what has changed, and buckets are empty.
    """
    gibs = sum(
        int(resource["Properties"].get("AllocatedStorage", 0))
        for resource in resources.values()
        if resource["Type"] == "AWS::RDS::DBInstance"
    )
    copies = {
        copy["DestinationBackupVaultArn"]
        for rule in plan["BackupPlan"]["BackupPlanRule"]
        for copy in rule.get("CopyActions", [])
    }
    return {"backups": (1 + len(copies)) * gibs * BACKUP_GIB}


def _instance(instance: Json, _resources: Json) -> Costs:
    # The image's own volume size; the address comes with the subnet it is in.
    disk = 8 * DISK_GIB
    return {"network": INSTANCES[instance["InstanceType"]] + disk, "public addresses": ADDRESS}


def _endpoint(endpoint: Json, _resources: Json) -> Costs:
    azs = len(endpoint.get("SubnetIds", []))
    return {"network": azs * ENDPOINT if endpoint["VpcEndpointType"] == "Interface" else 0}


def _load_balancer(balancer: Json, _resources: Json) -> Costs:
    public = balancer.get("Scheme") == "internet-facing"
    return {
        "load balancer": LOAD_BALANCER,
        "public addresses": len(balancer["Subnets"]) * ADDRESS if public else 0,
    }


def _web_acl(acl: Json, _resources: Json) -> Costs:
    return {"WAF": WEB_ACL + len(acl["Rules"]) * WEB_ACL_RULE}


_PRICES: dict[str, Callable[[Json, Json], Costs]] = {
    "AWS::Backup::BackupPlan": _backups,
    "AWS::CloudWatch::Alarm": lambda _p, _r: {"secrets, keys and alarms": ALARM},
    "AWS::EC2::EIP": lambda _p, _r: {"public addresses": ADDRESS},
    "AWS::EC2::Instance": _instance,
    "AWS::EC2::NatGateway": lambda _p, _r: {"network": NAT_GATEWAY},
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::KMS::Key": lambda _p, _r: {"secrets, keys and alarms": KEY},
    "AWS::RDS::DBCluster": lambda _p, _r: {"database": LEAST_CLUSTER * CLUSTER_GIB},
    "AWS::SecretsManager::Secret": lambda _p, _r: {"secrets, keys and alarms": SECRET},
    "AWS::WAFv2::WebACL": _web_acl,
}
# What rests where a deployment sleeps.
_PRICES_AWAKE: dict[str, Callable[[str, Json, float], Costs]] = {
    "AWS::ECS::Service": _service,
    "AWS::RDS::DBInstance": _database,
}
