"""In production: what refuses to be deleted, what remains, and a deployment over what remains."""

import pytest
from e2e.app import Application
from e2e.backend import Backend
from e2e.cloud import Cloud
from e2e.inventory import inventory

GOOD, BROKEN = "v4.0.0", "v4.0.1"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "lab", {"isProduction": True}, with_frontend=True)
    application.publish_frontend("v4.0.0")
    application.publish(GOOD)
    application.publish(BROKEN, migrate="exit 1")
    return application


@pytest.fixture(scope="module")
def before(app: Application, cloud: Cloud) -> set[str]:
    return inventory(cloud)


def let_go(backend: Backend) -> None:
    """What docs/operations.md says: lift the protection of the load balancer and the database."""
    cloud = backend.cloud
    for arn in backend.ids("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        off = {"Key": "deletion_protection.enabled", "Value": "false"}
        elb = cloud.client("elbv2")
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[off])
    for id in backend.ids("AWS::RDS::DBInstance"):
        cloud.client("rds").modify_db_instance(
            DBInstanceIdentifier=id, DeletionProtection=False, ApplyImmediately=True
        )


def test_a_first_deployment_that_fails_has_to_be_let_go_of(
    before: set[str], app: Application, cloud: Cloud
) -> None:
    done = app.deploy(backendVersion=BROKEN, frontendVersion="v4.0.0")

    assert not done.ok
    assert app.backend.status == "ROLLBACK_FAILED"
    assert "AWS::RDS::DBInstance" in {r["ResourceType"] for r in app.backend.resources().values()}
    let_go(app.backend)
    assert app.destroy().ok
    assert "cloudformation: lab-BackendStack" not in inventory(cloud)


def test_deploys_over_what_remained(app: Application) -> None:
    done = app.deploy_version(GOOD)

    assert done.ok, done.output
    assert app.problems() == []


@pytest.fixture(scope="module")
def there(before: set[str], app: Application, cloud: Cloud) -> set[str]:
    """What there is of both deployments."""
    return inventory(cloud) - before


def test_refuses_to_be_destroyed(there: set[str], app: Application) -> None:
    done = app.destroy()

    assert not done.ok
    assert app.backend.status == "DELETE_FAILED"
    refused = {one["ResourceType"] for one in app.backend.resources().values()}
    assert {"AWS::RDS::DBInstance", "AWS::ElasticLoadBalancingV2::LoadBalancer"} <= refused


def test_leaves_exactly_what_is_kept(
    before: set[str], there: set[str], app: Application, cloud: Cloud
) -> None:
    let_go(app.backend)

    done = app.destroy()

    assert done.ok, done.output
    left = inventory(cloud) - before
    snapshots = {name for name in left if name.startswith("rds: ") and ":snapshot:" in name}
    assert len(snapshots) == 2, "a last snapshot of each of the two databases"
    assert left - snapshots == {name for name in there if is_kept(name)}


def is_kept(name: str) -> bool:
    """What docs/operations.md says of buckets, logs and secrets."""
    service, _, id = name.partition(": ")
    return service in ("s3", "logs") or (
        # Of use only with the key that goes with the stack, and of a name that is wanted again.
        service == "secretsmanager" and ":secret:lab-smtp-" not in id
    )
