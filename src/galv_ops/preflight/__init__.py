"""The questions that a preflight asks of the world before a deployment.

Standard library and boto3 only, and nothing of galv_ops or of CDK: the folder is shared with a
handler in Lambda.
"""
