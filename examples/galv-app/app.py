"""The documented deployment of Galv, configured in cdk.json."""

import gc
import os
import sys

# Loading CDK's modules makes many objects and no garbage, and looking for it takes a third longer.
gc.disable()

from aws_cdk import App  # noqa: E402
from galv_app.feature_flags import FEATURE_FLAGS  # noqa: E402
from galv_app.stacks import add_stacks  # noqa: E402

app = App(
    context=FEATURE_FLAGS,
    # Where a construct was made is told in terms of Python, or not at all.
    stack_traces="JSII_HOST_STACK_TRACES" in os.environ,
)
try:
    add_stacks(app)
except ValueError as error:
    # What is wrong is in cdk.json; where in the code it was noticed helps nobody.
    sys.exit(str(error))
app.synth()
# The process ends: taking apart all that CDK made would take a tenth of its time, for nothing.
gc.freeze()
