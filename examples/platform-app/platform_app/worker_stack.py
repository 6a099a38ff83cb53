"""A worker beside production, in a stack of its own."""

from pathlib import Path
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from galv_constructs import GalvBackend, GalvService
from platform_app.shared_stack import SharedStack

_PROGRAM = Path(__file__).with_name("worker.py")


class WorkerStack(Stack):
    """Validates what was uploaded when somebody says so, by a message in the queue.

    It runs in Galv's image, after Galv's setup, and scales with the messages that wait. When it
    fails to deploy, production goes on.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        shared: SharedStack,
        backend: GalvBackend,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        failed = sqs.Queue(self, "Failed", enforce_ssl=True, retention_period=Duration.days(14))
        self.queue = sqs.Queue(
            self,
            "Validations",
            enforce_ssl=True,
            # Another worker gets a message that no worker has finished by then.
            visibility_timeout=Duration.minutes(30),
            dead_letter_queue=sqs.DeadLetterQueue(queue=failed, max_receive_count=3),
        )
        self.worker = GalvService(
            self,
            "Worker",
            runtime=backend.runtime,
            command=["python", "-c", _PROGRAM.read_text()],
            environment={"QUEUE_URL": self.queue.queue_url},
            queue=self.queue,
            backlog_per_task=5,
            max_tasks=4,
            # A message that it has not finished comes again.
            spot=True,
            alarm_topic=shared.alarms,
        )
        failed.metric_approximate_number_of_messages_visible(
            period=Duration.minutes(5)
        ).create_alarm(self, "FailedMessages", threshold=1, evaluation_periods=1).add_alarm_action(
            actions.SnsAction(shared.alarms)
        )
