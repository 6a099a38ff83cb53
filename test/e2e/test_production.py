"""In production: what refuses to be deleted, what remains, and a deployment over what remains."""

import pytest
from e2e.app import Application
from e2e.backend import Backend
from e2e.cloud import Cloud
from e2e.invariants import problems
from e2e.inventory import inventory

GOOD, BROKEN = "4.0.0", "4.0.1"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "lab", {"isProduction": True})
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


def kinds(left: set[str]) -> dict[str, int]:
    """How many things of which service are left."""
    counts: dict[str, int] = {}
    for name in left:
        service, _, rest = name.partition(": ")
        kind = "snapshot" if ":snapshot:" in rest else service
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def test_a_first_deployment_that_fails_has_to_be_let_go_of(
    before: set[str], app: Application, cloud: Cloud
) -> None:
    done = app.deploy(backendVersion=BROKEN)

    assert not done.ok
    assert app.backend.status == "ROLLBACK_FAILED"
    let_go(app.backend)
    assert app.destroy().ok
    assert "cloudformation: lab-BackendStack" not in inventory(cloud)


def test_deploys_over_what_remained(app: Application) -> None:
    done = app.deploy(backendVersion=GOOD)

    assert done.ok, done.output
    assert problems(app.backend) == []


def test_refuses_to_be_destroyed(app: Application) -> None:
    done = app.destroy()

    assert not done.ok
    assert app.backend.status == "DELETE_FAILED"


def test_leaves_exactly_what_is_kept(app: Application, cloud: Cloud) -> None:
    backend = app.backend
    kept = {
        kind: set(backend.ids(kind))
        for kind in ("AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup")
    }
    let_go(backend)
    start = inventory(cloud)

    done = app.destroy()

    assert done.ok, done.output
    gone = start - inventory(cloud)
    for names in kept.values():
        assert not {name for name in gone if name.partition(": ")[2] in names}
    assert "rds" not in kinds(inventory(cloud) - start)
    assert kinds(inventory(cloud) - start)["snapshot"] == 1
