"""The documented deployment of Galv, configured in cdk.json."""

from aws_cdk import App
from galv_app.stacks import add_stacks

app = App()
add_stacks(app)
app.synth()
