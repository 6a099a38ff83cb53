"""A backend whose database is an Aurora cluster, on PostgreSQL behind the cluster's name.

It asks in preflight, whether RDS has the version among it.
"""

import pytest
from e2e.app import Application
from e2e.cloud import Cloud
from e2e.stack import Json

FIRST, SECOND = "v2.11.4", "v2.11.5"
STACK = "galv_app/backend_stack.py"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "aurora", {"mirrorImage": False, "deletionProtection": True})
    application.change(STACK, "    GalvMail,\n", "    GalvDatabaseCluster,\n    GalvMail,\n")
    cluster = "partial(GalvDatabaseCluster, readers=1)"
    application.change(STACK, "database=self._database(config, awake),", f"database={cluster},")
    for version in (FIRST, SECOND):
        application.publish(version)
    done = application.deploy(backendVersion=FIRST)
    assert done.ok, done.output
    return application


def cluster(app: Application) -> Json:
    """The cluster, as RDS describes it."""
    (found,) = app.cloud.client("rds").describe_db_clusters(
        DBClusterIdentifier=app.backend.id_of("AWS::RDS::DBCluster")
    )["DBClusters"]
    return dict(found)


def test_tasks_use_its_writer(app: Application) -> None:
    backend, found = app.backend, cluster(app)

    assert app.problems() == []
    assert len(found["DBClusterMembers"]) == 2
    assert sorted(backend.ids("AWS::RDS::DBInstance")) == sorted(
        member["DBInstanceIdentifier"] for member in found["DBClusterMembers"]
    )
    (container,) = backend.definition(backend.service["taskDefinition"])["containerDefinitions"]
    environment = {one["name"]: one["value"] for one in container["environment"]}
    assert environment["POSTGRES_HOST"] == found["Endpoint"]
    assert backend.ask("/health/")[0] == 200


def test_setup_hands_the_database_over(app: Application) -> None:
    (setup,) = app.backend.tasks("setup-db")

    log = "\n".join(app.backend.log(setup))
    assert "galv_owner owns the database" in log
    assert "galv_tasks_1 acts" in log


def test_a_release_keeps_it(app: Application) -> None:
    before = cluster(app)

    done = app.deploy_version(SECOND)

    assert done.ok, done.output
    assert app.backend.version == SECOND
    assert cluster(app)["DbClusterResourceId"] == before["DbClusterResourceId"]
    assert app.problems() == []


def test_refuses_to_be_deleted_with_the_command_that_lets_it(app: Application) -> None:
    found = cluster(app)
    assert found["DeletionProtection"] is True

    done = app.destroy()

    assert not done.ok
    assert "aws rds modify-db-cluster --no-deletion-protection" in " ".join(done.output.split())
    assert cluster(app)["DbClusterResourceId"] == found["DbClusterResourceId"]
