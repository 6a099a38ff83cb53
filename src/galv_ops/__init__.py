"""The operator's command, `galv-ops`: what it takes to look after a deployment.

It knows nothing of CDK, and the constructs know nothing of it: it reads what CloudFormation made.
"""
