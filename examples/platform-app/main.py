"""Galv beside the other applications of a platform, on what they share."""

from aws_cdk import App
from platform_app.galv_stack import GalvStack
from platform_app.shared_stack import SharedStack

app = App()
shared = SharedStack(app, "Shared", domain_name="lab.example.com")
GalvStack(app, "Galv", shared=shared, version="v2.11.4")
app.synth()
