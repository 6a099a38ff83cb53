"""A Galv, on what all share, watched as the platform watches."""

from typing import Any

from aws_cdk import Duration, Size, Stack, TimeZone
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from galv_constructs import GalvBackend, GalvDatabase, GalvMail, GalvScheduledTask
from platform_app.shared_stack import SharedStack


class GalvStack(Stack):
    """The API of one Galv with its database, its mail, a schedule and the alarms that it raises.

    What only one Galv needs is in its own stack, so that the others notice neither its failure nor
    its end.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        shared: SharedStack,
        name: str,
        version: str,
        production: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        domain_name = f"{name}.{shared.zone.zone_name}"
        self.database = GalvDatabase(
            self, "Database", network=shared.network, production=production
        )
        self.backend = GalvBackend(
            self,
            "Backend",
            domain_name=f"{name}-api.{shared.zone.zone_name}",
            frontend_domain_names=[domain_name],
            hosted_zone=shared.zone,
            network=shared.network,
            cluster=shared.cluster,
            load_balancer=shared.load_balancer,
            log_bucket=shared.log_bucket,
            database=self.database,
            # Each has a domain of its own in Amazon SES, which goes with it.
            mail=GalvMail(
                self,
                "Mail",
                sender=f"no-reply@{domain_name}",
                hosted_zone=shared.zone,
                production=production,
            ),
            version=version,
            spot=not production,
            production=production,
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
            spot=not production,
            alarm_topic=shared.alarms,
        )
        self._add_alarms(shared)

    def _add_alarms(self, shared: SharedStack) -> None:
        requests = self.backend.target_group.metrics
        minutes = Duration.minutes(5)
        server_errors = requests.http_code_target(
            elbv2.HttpCodeTarget.TARGET_5XX_COUNT, period=Duration.minutes(1)
        ).create_alarm(
            self,
            "ServerErrors",
            threshold=10,
            evaluation_periods=1,
            # No requests, no errors.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        # A release that answers with errors is taken back. CDK notes that an alarm about the
        # service would be a cycle; this one is about the target group, which exists before it.
        self.backend.service.enable_deployment_alarms(
            [server_errors.alarm_name], behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM
        )
        alarms = [
            server_errors,
            requests.unhealthy_host_count(period=minutes).create_alarm(
                self, "Unhealthy", threshold=1, evaluation_periods=2
            ),
            self.backend.service.metric_memory_utilization(period=minutes).create_alarm(
                self, "Memory", threshold=90, evaluation_periods=3
            ),
            self.database.instance.metric_free_storage_space(period=minutes).create_alarm(
                self,
                "Storage",
                threshold=Size.gibibytes(5).to_bytes(),
                comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                evaluation_periods=1,
            ),
        ]
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(shared.alarms))
