"""Other ways for tasks to reach the internet, and changing from one to another."""

import pytest
from e2e.app import Application
from e2e.cloud import Cloud

VERSION = "v2.11.4"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "networks")
    application.publish(VERSION)
    return application


def test_tasks_with_public_addresses_reach_what_they_need(app: Application) -> None:
    done = app.deploy(backendVersion=VERSION, networkPreset="public")

    assert done.ok, done.output
    assert app.problems() == []
    network = app.backend.service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "ENABLED"
    assert app.backend.ids("AWS::EC2::NatGateway") == []


def test_a_change_of_the_way_leaves_the_database_alone(app: Application) -> None:
    database, bucket = (
        app.backend.resources(kind) for kind in ("AWS::RDS::DBInstance", "AWS::S3::Bucket")
    )

    done = app.deploy(networkPreset="natGateway")

    assert done.ok, done.output
    assert app.problems() == []
    network = app.backend.service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "DISABLED"
    assert len(app.backend.ids("AWS::EC2::NatGateway")) == 1
    for before, kind in ((database, "AWS::RDS::DBInstance"), (bucket, "AWS::S3::Bucket")):
        after = app.backend.resources(kind)
        assert {id: one["PhysicalResourceId"] for id, one in before.items()} == {
            id: one["PhysicalResourceId"] for id, one in after.items()
        }
