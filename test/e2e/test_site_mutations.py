"""Mistakes in the stack of the frontend, each made on purpose: a deployment shows every one."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.app import Application
from e2e.frontend import Frontend
from e2e.frontend_invariants import frontend_problems
from e2e.mutants import Mutation, deploy_mutant_site
from e2e.templates import Template

AT_ONCE = 8


def build_may_not_upload(template: Template) -> None:
    template.drop_action("Build.*Role", "s3:PutObject")


def build_may_not_read_its_steps(template: Template) -> None:
    template.drop_action("Build.*Role", "s3:GetObject*")


def handler_may_not_build(template: Template) -> None:
    template.drop_action("HandlerRole", "codebuild:StartBuild")


def handler_may_not_publish(template: Template) -> None:
    template.drop_action("HandlerRole", "s3:PutObject")


def built_for_another_api(template: Template) -> None:
    (release,) = template.properties("Custom::GalvSiteRelease")
    release["Inputs"]["Environment"]["VITE_GALV_API_BASE_URL"] = "https://api.example.org"


def version_that_was_never_tagged(template: Template) -> None:
    (release,) = template.properties("Custom::GalvSiteRelease")
    release["Inputs"]["Source"]["Tag"] = "v9.9.9"


def cloudfront_may_not_read(template: Template) -> None:
    (policy,) = template.properties("AWS::S3::BucketPolicy")
    statements = policy["PolicyDocument"]["Statement"]
    statements[:] = [s for s in statements if "Service" not in s["Principal"]]


def function_that_cloudfront_cannot_run(template: Template) -> None:
    (function,) = template.properties("AWS::CloudFront::Function")
    function["FunctionCode"] += "function loop(names) { for (const name of names) { } }"


def no_address_of_version_6(template: Template) -> None:
    template.remove("AWS::Route53::RecordSet", "Ipv6")


def plain_http_is_answered(template: Template) -> None:
    (distribution,) = template.properties("AWS::CloudFront::Distribution")
    behavior = distribution["DistributionConfig"]["DefaultCacheBehavior"]
    behavior["ViewerProtocolPolicy"] = "allow-all"


# Each fails a deployment of its own, with this among the reasons.
FAIL: dict[Mutation, str] = {
    build_may_not_upload: r"FAILED in POST_BUILD",
    build_may_not_read_its_steps: r"FAILED in DOWNLOAD_SOURCE: .*AccessDenied",
    handler_may_not_build: r"not authorized to perform: codebuild:StartBuild",
    handler_may_not_publish: r"release \w+ could not be kept: .*AccessDenied",
    built_for_another_api: r"does not call the API https://api-",
    version_that_was_never_tagged: r"has no tag v9.9.9",
    cloudfront_may_not_read: r"its page does not load: https://.*\.cloudfront\.net/ answers 403",
    function_that_cloudfront_cannot_run: r"\.cloudfront\.net/ answers 503",
}
# All deploy, and are found afterwards.
FOUND: dict[Mutation, str] = {
    no_address_of_version_6: r"no AAAA record",
    plain_http_is_answered: r"http is not redirected",
}


@pytest.fixture(scope="module")
def failed(deployed: Application) -> dict[str, Frontend]:
    """The deployments with one mistake each, a few at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = [mutate.__name__.replace("_", "-") for mutate in FAIL]
        made = pool.map(lambda name, one: deploy_mutant_site(deployed, name, one), names, FAIL)
        return dict(zip(names, made, strict=True))


@pytest.fixture(scope="module")
def found(deployed: Application) -> str:
    """The violations found after a deployment with many mistakes."""
    frontend = deploy_mutant_site(deployed, "mistaken-site", *FOUND)
    assert frontend.status == "CREATE_COMPLETE", frontend.reasons()
    return "\n".join(frontend_problems(frontend, "https://api-mistaken-site.example.com"))


@pytest.mark.parametrize("mutate", FAIL, ids=lambda mutate: mutate.__name__)
def test_each_mistake_fails_the_deployment(mutate: Mutation, failed: dict[str, Frontend]) -> None:
    frontend = failed[mutate.__name__.replace("_", "-")]

    reasons = "\n".join(frontend.reasons())
    assert frontend.status == "CREATE_FAILED"
    assert re.search(FAIL[mutate], reasons), reasons


@pytest.mark.parametrize("mutate", FOUND, ids=lambda mutate: mutate.__name__)
def test_the_invariants_find_each_mistake(mutate: Mutation, found: str) -> None:
    assert re.search(FOUND[mutate], found, re.MULTILINE), found
