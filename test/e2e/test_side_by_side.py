"""Two deployments in one account, region and hosted zone, which send mail from its domain.

One of them gets another domain, and another name.
"""

import pytest
from e2e.app import BARE, DOMAIN, Application
from e2e.cloud import Cloud


@pytest.fixture(scope="module")
def first(cloud: Cloud) -> Application:
    """The deployment that creates the identity, and owns it."""
    application = Application(cloud, "shared", context={"mailFromDomain": DOMAIN, **BARE})
    application.publish("v2.11.4")
    done = application.deploy(backendVersion="v2.11.4")
    assert done.ok, done.output
    return application


@pytest.fixture(scope="module")
def second(first: Application) -> Application:
    return Application(first.cloud, "shared-stage", context={"mailFromDomain": DOMAIN, **BARE})


def mail_records(cloud: Cloud) -> set[tuple[str, str]]:
    """The records of the zone that are about mail from its own domain."""
    route53 = cloud.client("route53")
    (zone,) = route53.list_hosted_zones_by_name(DNSName=DOMAIN, MaxItems="1")["HostedZones"]
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"])
    records = [record for page in pages for record in page["ResourceRecordSets"]]
    starts = (f"_dmarc.{DOMAIN}", f"bounce.{DOMAIN}")
    return {
        (record["Name"], record["Type"])
        for record in records
        if record["Name"].startswith(starts) or record["Name"].endswith(f"._domainkey.{DOMAIN}.")
    }


def identity(cloud: Cloud) -> dict[str, object]:
    found = cloud.client("sesv2").get_email_identity(EmailIdentity=DOMAIN)
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


def test_a_second_identity_of_the_domain_is_refused_with_the_key_to_set(
    first: Application, second: Application, cloud: Cloud
) -> None:
    before = identity(cloud), mail_records(cloud)

    done = second.deploy(backendVersion="v2.11.4")

    assert not done.ok
    assert f"Amazon SES has an identity for {DOMAIN}" in done.output
    assert '"mailIdentity": "existing" in cdk.json' in done.output
    # What depends on it is not tried, and hides nothing.
    assert "already exists" not in done.output
    assert second.backend.status == "ROLLBACK_COMPLETE"
    assert (identity(cloud), mail_records(cloud)) == before
    assert len(mail_records(cloud)) == 6


def test_the_second_deployment_uses_the_identity_that_exists(
    first: Application, second: Application, cloud: Cloud
) -> None:
    before = identity(cloud), mail_records(cloud)

    done = second.deploy(mailIdentity="existing")

    assert done.ok, done.output
    assert first.problems() == second.problems() == []
    assert second.backend.resources("AWS::SES::EmailIdentity") == {}
    assert (identity(cloud), mail_records(cloud)) == before


def test_another_domain_for_the_first_leaves_its_mail_and_the_second_alone(
    first: Application, second: Application, cloud: Cloud
) -> None:
    before = identity(cloud), mail_records(cloud)

    done = first.deploy(domainName=f"lab.{DOMAIN}", hostedZoneName=DOMAIN)

    assert done.ok, done.output
    assert first.backend.outputs["BackendUrl"] == f"https://api-shared.lab.{DOMAIN}"
    assert (identity(cloud), mail_records(cloud)) == before
    assert first.problems() == second.problems() == []


def test_destroying_the_second_leaves_the_identity_to_the_first(
    first: Application, second: Application, cloud: Cloud
) -> None:
    before = identity(cloud), mail_records(cloud)

    done = second.destroy()

    assert done.ok, done.output
    assert (identity(cloud), mail_records(cloud)) == before
    assert first.problems() == []


@pytest.fixture(scope="module")
def renamed(first: Application) -> Application:
    """The first one, with another `name` and nothing else."""
    return Application(first.cloud, "shared-new", context={**first.context, "name": "shared-new"})


def test_another_name_is_another_deployment_which_needs_host_names_of_its_own(
    first: Application, renamed: Application, cloud: Cloud
) -> None:
    before = identity(cloud), mail_records(cloud)

    done = renamed.deploy(mailIdentity="existing", projectNameTag="shared-new")

    assert not done.ok
    assert f"api-shared.lab.{DOMAIN}" in done.output
    assert renamed.backend.status == "ROLLBACK_COMPLETE"
    assert (identity(cloud), mail_records(cloud)) == before
    assert first.problems() == []


def test_destroying_the_first_deletes_the_identity(first: Application, cloud: Cloud) -> None:
    done = first.destroy()

    assert done.ok, done.output
    assert mail_records(cloud) == set()
    with pytest.raises(cloud.client("sesv2").exceptions.NotFoundException):
        identity(cloud)


def test_the_renamed_deployment_can_then_create_the_identity(
    first: Application, renamed: Application, cloud: Cloud
) -> None:
    done = renamed.deploy(mailIdentity="create")

    assert done.ok, done.output
    assert renamed.problems() == []
    assert renamed.backend.outputs["BackendUrl"] == f"https://api-shared.lab.{DOMAIN}"
    assert len(mail_records(cloud)) == 6
    assert renamed.destroy().ok
