import math
from collections.abc import Mapping

import cheapest
import costs
import prices
import pytest
from templates import Json

from galv_constructs import AwakeHours

Costs = Mapping[str, prices.Costs]


@pytest.fixture(scope="module")
def shapes() -> Costs:
    return costs.all_costs()


@pytest.fixture(scope="module")
def cheap() -> Costs:
    return cheapest.cheapest_costs()


@pytest.mark.slow
def test_the_page_is_up_to_date(shapes: Costs, cheap: Costs) -> None:
    page = costs.PAGE.read_text()

    options = costs.option_costs()
    assert costs.updated(page, shapes, options, costs.pull_costs(), cheap) == page
    # None of them has a price that the tool does not see.
    assert min(options.values()) > 0


@pytest.mark.slow
def test_idle_costs_stay_within_what_is_promised(shapes: Costs) -> None:
    sums = {name: sum(items.values()) for name, items in shapes.items()}

    assert sums["natGateway, production"] <= 0.60 * costs.BEFORE
    assert min(sums.values()) <= 0.35 * costs.BEFORE


@pytest.mark.slow
def test_a_copy_in_ecr_saves_what_pulls_cost_through_a_nat_gateway() -> None:
    pulls = costs.pull_costs()

    ghcr, ecr = pulls["natGateway"]
    # 8,760 runs a month.
    assert ghcr is not None
    assert math.isclose(ghcr, 8_760 * 0.1 * 0.045)
    assert all(copied == ecr < 0.02 for _, copied in pulls.values())
    assert pulls["endpoints"][0] is None


@pytest.mark.slow
def test_what_is_shared_makes_one_more_backend_cheap(cheap: Costs) -> None:
    sums = {name: sum(items.values()) for name, items in cheap.items()}

    assert sums["tenth laboratory in the account"] < 30
    assert sums["stage on a shared load balancer, on Fargate Spot"] < 30
    assert sums["stage on a shared load balancer, with a database of a shared server"] < 30
    # The figure that the page gives for what a trial cannot do without.
    trial = cheap["trial"]
    rests = trial["tasks"] + prices.DATABASES["db.t4g.micro"] + prices.ADDRESS
    always = sum(trial.values()) - rests
    assert f"${always:.2f} of a trial: with a WAF no trial" in costs.PAGE.read_text()
    assert always > 40


@pytest.mark.slow
def test_a_trial_that_sleeps_stays_within_what_the_page_says(cheap: Costs) -> None:
    sums = {name: sum(items.values()) for name, items in cheap.items()}

    assert sums["trial that sleeps, awake for 10 hours on weekdays, without a WAF"] < 40
    assert sums["the same, without a WAF, on Fargate Spot"] < 40
    assert cheap["trial that sleeps, awake for 12 hours on weekdays"]["WAF"] > 0


def test_the_share_of_a_week_is_that_of_days_and_hours() -> None:
    awake = AwakeHours(days="Mon-Thu,Sat", start="07:30", end="19:00")

    assert math.isclose(cheapest.share_of_week(awake), 5 * 11.5 / 168)
    assert cheapest.share_of_week(None) == 1


TASK: Json = {
    "Type": "AWS::ECS::TaskDefinition",
    "Properties": {"Cpu": "1024", "Memory": "2048"},
}


class TestPrices:
    """Prices of resources as templates have them."""

    def service(self, **properties: object) -> Json:
        network = {"AwsvpcConfiguration": {"AssignPublicIp": "DISABLED"}}
        return {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "TaskDefinition": {"Ref": "Task"},
                "NetworkConfiguration": network,
                **properties,
            },
        }

    def scaling(self, service: str, least: int) -> Json:
        resource = {"Fn::Join": ["", ["service/c/", {"Fn::GetAtt": [service, "Name"]}]]}
        return {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {"MinCapacity": least, "ResourceId": resource},
        }

    def cost(self, item: str, *, awake: float = 1, **resources: Json) -> float:
        template = {"Resources": {"Task": TASK, **resources}}
        return prices.monthly_costs([template], awake=awake)[item]

    def test_each_service_has_the_tasks_of_its_own_scaling(self) -> None:
        one = prices.task_price(TASK["Properties"])

        tasks = self.cost(
            "tasks",
            WebScaling=self.scaling("Web", 3),
            Web=self.service(),
            WorkerScaling=self.scaling("Worker", 0),
            Worker=self.service(),
        )
        assert math.isclose(tasks, 3 * one)

    @pytest.mark.parametrize(("properties", "count"), [({"DesiredCount": 2}, 2), ({}, 1)])
    def test_a_service_without_scaling_has_as_many_as_it_wants(
        self, properties: Json, count: int
    ) -> None:
        one = prices.task_price(TASK["Properties"])

        assert math.isclose(self.cost("tasks", Web=self.service(**properties)), count * one)

    def test_spot_is_cheaper_and_arm_too(self) -> None:
        spot = [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]
        one = prices.task_price(TASK["Properties"])

        on_spot = self.cost("tasks", Web=self.service(CapacityProviderStrategy=spot))
        assert math.isclose(on_spot, 0.3 * one)
        arm = {**TASK["Properties"], "RuntimePlatform": {"CpuArchitecture": "ARM64"}}
        assert 0.79 < prices.task_price(arm) / one < 0.81

    def test_a_larger_disk_of_a_task_costs(self) -> None:
        larger = {**TASK["Properties"], "EphemeralStorage": {"SizeInGiB": 120}}

        more = prices.task_price(larger) - prices.task_price(TASK["Properties"])
        assert math.isclose(more, 100 * prices.TASK_DISK_GIB)

    def database(self, **properties: object) -> Json:
        return {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {"DBInstanceClass": "db.t4g.micro", **properties},
        }

    def test_a_replica_has_the_storage_of_its_source_and_no_standby(self) -> None:
        source = self.database(AllocatedStorage="100", MultiAZ=True)
        replica = self.database(SourceDBInstanceIdentifier={"Ref": "Main"})

        alone = self.cost("database", Main=source)
        both = self.cost("database", Main=source, Replica=replica)
        assert math.isclose(both, 1.5 * alone)

    def test_a_cluster_has_its_least_capacity_for_each_instance(self) -> None:
        cluster = {
            "Type": "AWS::RDS::DBCluster",
            "Properties": {"ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5}},
        }
        instance = {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                "DBInstanceClass": "db.serverless",
                "DBClusterIdentifier": {"Ref": "Cluster"},
            },
        }

        cost = self.cost("database", Cluster=cluster, Writer=instance, Reader=instance)
        assert math.isclose(cost, 2 * 0.5 * prices.ACU + 1)

    def test_refuses_a_size_that_it_has_no_price_of(self) -> None:
        large = self.database(DBInstanceClass="db.r7g.large", AllocatedStorage="20")

        with pytest.raises(ValueError, match=r"db\.r7g\.large has no price here"):
            self.cost("database", Main=large)

    def test_asleep_only_storage_and_what_is_always_there_cost(self) -> None:
        public = {"AwsvpcConfiguration": {"AssignPublicIp": "ENABLED"}}
        parts: Json = {
            "Web": self.service(NetworkConfiguration=public),
            "Main": self.database(AllocatedStorage="20"),
        }

        for item, always in (("tasks", 0), ("public addresses", 0), ("database", 20 * 0.115)):
            assert math.isclose(self.cost(item, awake=0, **parts), always)
            awake = self.cost(item, **parts)
            assert math.isclose(self.cost(item, awake=0.5, **parts), (always + awake) / 2)

    @pytest.mark.parametrize(("scheme", "addresses"), [("internet-facing", 2), ("internal", 0)])
    def test_only_a_public_load_balancer_has_addresses(self, scheme: str, addresses: int) -> None:
        balancer = {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {"Scheme": scheme, "Subnets": ["a", "b"]},
        }

        cost = self.cost("public addresses", Balancer=balancer)
        assert math.isclose(cost, addresses * prices.ADDRESS)
