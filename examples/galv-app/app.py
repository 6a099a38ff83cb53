"""The documented deployment of Galv, configured in cdk.json."""

import sys

from aws_cdk import App
from galv_app.stacks import add_stacks

app = App()
try:
    add_stacks(app)
except ValueError as error:
    # What is wrong is in cdk.json; where in the code it was noticed helps nobody.
    sys.exit(str(error))
app.synth()
