"""A fault for each kind of question, alone: a deployment ends before anything costly."""

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from e2e.asking import COSTLY, Asking, begun, seconds_asked
from e2e.cloud import Cloud
from e2e.inventory import inventory
from e2e.templates import resource
from e2e.world import World
from e2e.world_faults import FAULTS, Fault
from frontend_site.programs import need

from galv_ops.preflight.kinds import KINDS

# Seconds for all questions, with the start of the functions: on a machine with time, three.
LONGEST = 45


@pytest.fixture(scope="module")
def faults(cloud: Cloud) -> dict[str, Fault]:
    need("docker-registry", "git", "nsd")
    world = World(cloud)
    return {name: create(world) for name, create in FAULTS.items()}


@pytest.fixture(scope="module")
def stack(
    faults: dict[str, Fault], cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Asking:
    return Asking(cloud, tmp_path_factory.mktemp("asking"), faults)


@pytest.fixture(autouse=True)
def _nothing_left(stack: Asking, cloud: Cloud) -> Iterator[None]:
    before = inventory(cloud)
    yield
    stack.delete()
    assert inventory(cloud) - before == set()


def test_there_is_a_fault_of_each_kind(faults: dict[str, Fault]) -> None:
    # The one is a warning, and what the other finds is the application's own.
    without = {"mail-sandbox", "function"}

    assert {fault.kind for fault in faults.values()} == set(KINDS) - without


@pytest.mark.parametrize("name", FAULTS)
def test_fails_for_one_reason_before_anything_costly(
    name: str, faults: dict[str, Fault], stack: Asking, cloud: Cloud
) -> None:
    fault, before = faults[name], inventory(cloud)
    try:
        fault.make()
        made = inventory(cloud) - before
        status = stack.deploy()
        left = inventory(cloud) - before - made
    finally:
        fault.mend()
        fault.clean()

    assert status == "ROLLBACK_COMPLETE", stack.outputs
    reason = next((text for text in stack.reasons() if "Preflight found" in text), "")
    assert f"Preflight found an error before anything costly was created.\n- {name}: " in reason
    assert [said for said in fault.says if said not in reason] == [], reason
    assert COSTLY not in begun(stack)
    assert seconds_asked(stack) < LONGEST
    assert left == {f"cloudformation: {stack.name}"}


def test_deploys_when_all_are_mended(stack: Asking) -> None:
    assert stack.deploy() == "CREATE_COMPLETE", stack.reasons()
    assert stack.outputs["Warnings"] == "none"
    assert COSTLY in begun(stack)


def test_the_sandbox_is_a_warning(stack: Asking, cloud: Cloud) -> None:
    account = {"MailType": "TRANSACTIONAL", "WebsiteURL": "https://example.com"}
    ses = cloud.client("sesv2")
    ses.put_account_details(**account, ProductionAccessEnabled=False)
    try:
        assert stack.deploy() == "CREATE_COMPLETE", stack.reasons()
    finally:
        ses.put_account_details(**account, ProductionAccessEnabled=True)

    assert stack.outputs["Warnings"].startswith(
        "Sandbox: Amazon SES is in its sandbox in eu-west-2"
    )
    assert "\n" not in stack.outputs["Warnings"]


def test_an_update_asks_what_changed_and_neither_rollback_nor_deletion_ask(
    stack: Asking, faults: dict[str, Fault]
) -> None:
    changed = json.loads(stack.template)
    questions = resource(changed, "Custom::GalvPreflight")["Properties"]["Questions"]
    questions["SecretWithoutKey"]["Keys"] = ["MORE"]
    assert stack.deploy() == "CREATE_COMPLETE", stack.reasons()
    # Of these the first is asked in other words, and then, were it asked, in the same as before.
    broken = [faults["SecretWithoutKey"], faults["TakenRecord"]]
    for fault in broken:
        fault.make()
    try:
        status, reasons, log = stack.update(changed), stack.reasons(), stack.log()
        stack.delete()
        with pytest.raises(ClientError, match="does not exist"):
            stack.wait()
    finally:
        for fault in broken:
            fault.mend()

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(text for text in reasons if "Preflight found" in text)
    head = "Preflight found an error before anything costly was changed.\n- SecretWithoutKey: "
    assert head in reason
    assert "MORE" in reason
    assert len([line for line in log if line.startswith("START ")]) == 3, log
