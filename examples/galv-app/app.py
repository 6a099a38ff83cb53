"""The documented deployment of Galv, configured in cdk.json."""

import gc
import sys

# Loading CDK's modules makes many objects and no garbage, and looking for it takes a third longer.
gc.disable()

from aws_cdk import App  # noqa: E402
from galv_app.stacks import add_stacks  # noqa: E402

app = App()
try:
    add_stacks(app)
except ValueError as error:
    # What is wrong is in cdk.json; where in the code it was noticed helps nobody.
    sys.exit(str(error))
app.synth()
# Taking apart all that CDK made, before the process ends, takes as long as a small synthesis.
gc.freeze()
