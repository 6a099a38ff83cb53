"""The program of the worker: it runs in Galv's image, one validation for each message."""

import os
import signal
import subprocess
import sys

import boto3

QUEUE = os.environ["QUEUE_URL"]
# ECS stops a task so. The message comes again, and another task takes it.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
sqs = boto3.client("sqs")
while True:
    answer = sqs.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=1, WaitTimeSeconds=20)
    for message in answer.get("Messages", []):
        subprocess.run([sys.executable, "manage.py", "validate_against_schemas"], check=True)
        sqs.delete_message(QueueUrl=QUEUE, ReceiptHandle=message["ReceiptHandle"])
