import os

# CloudFormation validation costs every process seconds; `npm run synth` runs it on the whole.
os.environ["CDK_VALIDATION"] = "false"
