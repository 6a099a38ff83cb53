"""Invariants of a backend after every deployment, read through the service APIs."""

from collections.abc import Iterator

from e2e.backend import Backend
from e2e.bucket_invariants import bucket_problems, may_write
from e2e.cloud import ACCOUNT
from e2e.reach import ANYWHERE, Reach
from e2e.stack import Json

HEALTH_CHECK = "/health/"


def backend_problems(backend: Backend) -> list[str]:
    """Say what is wrong with a deployed backend."""
    reach = Reach(backend.cloud.client)
    return [
        *_gate_problems(backend),
        *_task_problems(backend, reach),
        *_schedule_problems(backend, reach),
        *_entrance_problems(backend, reach),
        *_target_problems(backend, reach),
        *bucket_problems(backend),
        *_database_problems(backend, reach),
        *_rule_problems(backend, reach),
        *_log_problems(backend),
    ]


def _network(backend: Backend) -> Json:
    network: Json = backend.service["networkConfiguration"]["awsvpcConfiguration"]
    return network


def _has_another_command(task: Json) -> bool:
    overrides = task["overrides"].get("containerOverrides", [])
    return any("command" in override for override in overrides)


def _gate_problems(backend: Backend) -> Iterator[str]:
    """The web service runs what setup was done for."""
    # A rotation ends with another command in setup's task, when new web tasks run.
    own = [task for task in backend.tasks("setup-db") if not _has_another_command(task)]
    setup = own[-1]
    for task in backend.tasks("web", "RUNNING"):
        if task["createdAt"] < setup["stoppedAt"]:
            yield f"{task['taskArn']} started before setup was done"


def _task_problems(backend: Backend, reach: Reach) -> Iterator[str]:
    """Every task definition: web, setup, the scheduled one, and the one that is run by hand."""
    for definition in backend.ids("AWS::ECS::TaskDefinition"):
        yield from reach.start_problems(definition, _network(backend))
    # Setup and scheduled tasks ran, and their start looked at their own security groups.
    yield from reach.run_problems(backend.service["taskDefinition"], _network(backend))


def _schedule_problems(backend: Backend, reach: Reach) -> Iterator[str]:
    for schedule in backend.schedules():
        target = schedule["Target"]
        if not reach.assumable(target["RoleArn"], "scheduler.amazonaws.com"):
            yield f"the scheduler cannot assume {target['RoleArn']}"
        if not reach.allowed(target["RoleArn"], "lambda:InvokeFunction", target["Arn"]):
            yield f"{target['RoleArn']} may not invoke {target['Arn']}"


def _entrance_problems(backend: Backend, reach: Reach) -> Iterator[str]:
    """From the name in DNS to the load balancer."""
    listeners, balancer = backend.listeners(), backend.load_balancer
    groups = balancer["SecurityGroups"]
    if balancer["Scheme"] != "internet-facing":
        yield f"the load balancer is {balancer['Scheme']}"
    for az in balancer["AvailabilityZones"]:
        if not reach.internet(az["SubnetId"], public_address=True):
            yield f"the load balancer's subnet {az['SubnetId']} is not public"
    for port in (80, 443):
        if not reach.open_to_all(groups, port):
            yield f"nobody can reach the load balancer on {port}"
    if listeners[80]["DefaultActions"][0]["Type"] != "redirect":
        yield "http is not redirected"
    https = listeners[443]
    certificates = backend.cloud.client("acm").list_certificates()["CertificateSummaryList"]
    names = {one["CertificateArn"]: one["DomainName"] for one in certificates}
    host = backend.outputs["BackendUrl"].removeprefix("https://")
    if names.get(https["Certificates"][0]["CertificateArn"]) != host:
        yield f"the certificate of the load balancer is not for {host}"
    yield from _dns_problems(backend, host, balancer["DNSName"])


def _target_problems(backend: Backend, reach: Reach) -> Iterator[str]:
    """From the load balancer to the port of the container."""
    elb = backend.cloud.client("elbv2")
    https = backend.listeners()[443]
    groups = backend.load_balancer["SecurityGroups"]
    (mapping,) = backend.service["loadBalancers"]
    for action in https["DefaultActions"]:
        if (
            action["Type"] != "fixed-response"
            or action["FixedResponseConfig"]["StatusCode"] != "421"
        ):
            yield f"other hosts than the API's are answered with {action}"
    rules = elb.describe_rules(ListenerArn=https["ListenerArn"])["Rules"]
    forwarded = [
        group
        for rule in rules
        if _hosts(rule) == [backend.outputs["BackendUrl"].removeprefix("https://")]
        for group in _forwarded(rule["Actions"][0])
    ]
    if mapping["targetGroupArn"] not in forwarded:
        yield f"https goes to {forwarded}, the service is in {mapping['targetGroupArn']}"
    (target,) = elb.describe_target_groups(TargetGroupArns=[mapping["targetGroupArn"]])[
        "TargetGroups"
    ]
    definition = reach.definition(backend.service["taskDefinition"])
    (container,) = definition["containerDefinitions"]
    port = container["portMappings"][0]["containerPort"]
    if f"bind=0.0.0.0:{port}" not in container["command"][2].split():
        yield f"the application does not listen on {port}"
    if (mapping["containerName"], mapping["containerPort"]) != (container["name"], port):
        yield f"the load balancer sends to {mapping}"
    if target["HealthCheckPort"] not in ("traffic-port", str(port)):
        yield f"health is checked on port {target['HealthCheckPort']}, served on {port}"
    if target["HealthCheckPath"] != HEALTH_CHECK:
        yield f"health is checked at {target['HealthCheckPath']}"
    if target["TargetType"] != "ip":
        yield f"targets are of type {target['TargetType']}, Fargate needs ip"
    tasks = _network(backend)["securityGroups"]
    yield from reach.flow_problems(groups, tasks, port, "the web service")


def _hosts(rule: Json) -> list[str]:
    """The names that a rule of a listener is for."""
    return [
        host
        for condition in rule["Conditions"]
        if condition["Field"] == "host-header"
        for host in condition.get("HostHeaderConfig", condition)["Values"]
    ]


def _forwarded(action: Json) -> list[str]:
    if "TargetGroupArn" in action:
        return [action["TargetGroupArn"]]
    return [
        one["TargetGroupArn"] for one in action.get("ForwardConfig", {}).get("TargetGroups", [])
    ]


def _dns_problems(backend: Backend, host: str, target: str) -> Iterator[str]:
    route53 = backend.cloud.client("route53")
    for zone in route53.list_hosted_zones()["HostedZones"]:
        records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        for record in records:
            alias = record.get("AliasTarget", {}).get("DNSName", "").rstrip(".")
            if record["Name"] == f"{host}." and alias.removeprefix("dualstack.") == target:
                return
    yield f"{host} does not lead to the load balancer"


def _database_problems(backend: Backend, reach: Reach) -> Iterator[str]:
    """The database is out of reach from outside."""
    rds = backend.cloud.client("rds")
    for database in backend.ids("AWS::RDS::DBInstance"):
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=database)["DBInstances"]
        if found["PubliclyAccessible"]:
            yield f"the database {database} has a public address"
        for subnet in found["DBSubnetGroup"]["Subnets"]:
            id = subnet["SubnetIdentifier"]
            if any(r.get("DestinationCidrBlock") == ANYWHERE for r in reach.routes(id)):
                yield f"the database's subnet {id} has a way to the internet"


def _rule_problems(backend: Backend, reach: Reach) -> Iterator[str]:
    """Nothing is open to everyone but the load balancer."""
    balancer = backend.load_balancer
    for group in reach.groups(backend.ids("AWS::EC2::SecurityGroup")):
        for rule in group["IpPermissions"]:
            everyone = ANYWHERE in {one["CidrIp"] for one in rule["IpRanges"]} or rule["Ipv6Ranges"]
            entrance = group["GroupId"] in balancer["SecurityGroups"]
            if everyone and not (entrance and rule.get("FromPort") in (80, 443)):
                yield f"{group['GroupName']} is open to everyone: {rule}"


def _log_problems(backend: Backend) -> Iterator[str]:
    """Every place where logs are sent takes them."""
    elb = backend.cloud.client("elbv2")
    arn = backend.load_balancer["LoadBalancerArn"]
    answer = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    attributes = {one["Key"]: one["Value"] for one in answer}
    if attributes.get("access_logs.s3.enabled") == "true":
        bucket = attributes["access_logs.s3.bucket"]
        key = f"{attributes.get('access_logs.s3.prefix', '')}/AWSLogs/{ACCOUNT}/x".lstrip("/")
        if not may_write(backend, bucket, key, "elasticloadbalancing"):
            yield f"the load balancer may not write its log to {bucket}"
    flow_logs = backend.cloud.client("ec2").describe_flow_logs(
        FlowLogIds=backend.ids("AWS::EC2::FlowLog")
    )["FlowLogs"]
    for flow_log in flow_logs:
        bucket, _, key = flow_log["LogDestination"].rpartition(":")[2].partition("/")
        key = f"{key}/AWSLogs/{ACCOUNT}/x".lstrip("/")
        if not may_write(backend, bucket, key, "delivery.logs"):
            yield f"the flow log may not be written to {bucket}"
