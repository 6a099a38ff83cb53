"""Galv, on what the platform has, watched as the platform watches."""

from typing import Any

from aws_cdk import Duration, Size, Stack, TimeZone
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from galv_constructs import (
    GalvBackend,
    GalvDatabase,
    GalvMail,
    GalvNetwork,
    GalvScheduledTask,
)
from platform_app.shared_stack import SharedStack


class GalvStack(Stack):
    """The API, a task of our own and the alarms that it raises."""

    def __init__(
        self, scope: Construct, id: str, *, shared: SharedStack, version: str, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, **kwargs)
        domain = shared.zone.zone_name
        self.backend = GalvBackend(
            self,
            "Backend",
            domain_name=f"galv-api.{domain}",
            frontend_domain_names=[f"galv.{domain}"],
            hosted_zone=shared.zone,
            network=GalvNetwork.from_vpc(shared.vpc),
            cluster=shared.cluster,
            database=GalvDatabase.from_instance(shared.database),
            mail=GalvMail(self, "Mail", sender=f"galv@{domain}", hosted_zone=shared.zone),
            version=version,
            alarm_topic=shared.alarms,
        )
        # Galv keeps sessions in the database and never removes old ones.
        self.clear_sessions = GalvScheduledTask(
            self,
            "ClearSessions",
            runtime=self.backend.runtime,
            command=["python", "manage.py", "clearsessions"],
            schedule=scheduler.ScheduleExpression.cron(
                minute="30", hour="3", time_zone=TimeZone.EUROPE_LONDON
            ),
            alarm_topic=shared.alarms,
        )
        self._add_alarms(shared)

    def _add_alarms(self, shared: SharedStack) -> None:
        requests = self.backend.target_group.metrics
        minutes = Duration.minutes(5)
        errors = requests.http_code_target(elbv2.HttpCodeTarget.TARGET_5XX_COUNT, period=minutes)
        alarms = [
            errors.create_alarm(
                self,
                "ServerErrors",
                threshold=10,
                evaluation_periods=1,
                # No requests, no errors.
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            ),
            requests.unhealthy_host_count(period=minutes).create_alarm(
                self, "Unhealthy", threshold=1, evaluation_periods=2
            ),
            self.backend.service.metric_memory_utilization(period=minutes).create_alarm(
                self, "Memory", threshold=90, evaluation_periods=3
            ),
            shared.database.metric_free_storage_space(period=minutes).create_alarm(
                self,
                "Storage",
                threshold=Size.gibibytes(5).to_bytes(),
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                evaluation_periods=1,
            ),
        ]
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(shared.alarms))
