"""The roles with which GitHub Actions deploys, and compares pull requests if asked to.

Deployed once, by hand:

cdk deploy --app "python3 deploy_role.py octo-org/octo-repo"
"""

import argparse

from aws_cdk import App
from galv_app.deploy_role_stack import DeployRoleStack
from galv_app.environment import deployment_environment
from galv_app.feature_flags import FEATURE_FLAGS

from galv_constructs import GalvConfig, GitHubSubject

parser = argparse.ArgumentParser(prog="deploy_role.py")
parser.add_argument("repositories", nargs="+", metavar="owner/name", help="may deploy")
parser.add_argument("--environment", default="production", help="of GitHub's; default: production")
parser.add_argument(
    "--ref",
    help="branch or tag that may deploy, such as refs/heads/main or 'refs/tags/v*'; default: those "
    "that the rules of the environment allow",
)
parser.add_argument(
    "--pull-requests",
    action="store_true",
    help="create a role for pull requests too, which may read the templates of the stacks",
)
parser.add_argument(
    "--pull-requests-preflight",
    action="store_true",
    help="create that role, and let it read what a preflight asks of the account, but no secret",
)
parser.add_argument(
    "--provider-exists",
    action="store_true",
    help="the account has the OpenID Connect provider for GitHub already",
)
arguments = parser.parse_args()

app = App(context=FEATURE_FLAGS)
env = deployment_environment()
try:
    config = GalvConfig.from_context(app.node, account=env.account, region=env.region)
    DeployRoleStack(
        app,
        f"{config.name}-DeployRoleStack",
        config=config,
        subjects=[
            GitHubSubject.environment(repository, arguments.environment, ref=arguments.ref)
            for repository in arguments.repositories
        ],
        review_subjects=[
            GitHubSubject.pull_request(repository)
            for repository in arguments.repositories
            if arguments.pull_requests or arguments.pull_requests_preflight
        ],
        review_preflight=arguments.pull_requests_preflight,
        provider_exists=arguments.provider_exists,
        env=env,
    )
except ValueError as error:
    parser.error(str(error))
app.synth()
