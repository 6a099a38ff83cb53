"""The operator's command, `galv-ops`: what it takes to look after a deployment.

It knows nothing of CDK, and the constructs know nothing of it: it reads what CloudFormation
created. `query/` asks AWS; `parts/`, `doctor/` and `audits/` work out how it is, what is wrong and
what is weak; `commands/` shows it. Nothing imports what is above it.
"""
