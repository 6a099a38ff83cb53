"""The stack of the frontend."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_app.existing import hosted_zone, record_to_create
from galv_app.outputs import preflight_warnings
from galv_constructs import FrontendSource, GalvBackend, GalvConfig, GalvFrontend


class FrontendStack(Stack):
    """The site that people use, built for the API of a backend."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: GalvConfig,
        backend: GalvBackend,
        log_bucket: s3.IBucket,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        zone = hosted_zone(self, config)
        certificate = None
        if zone is None and config.certificate_arn is not None:
            certificate = acm.Certificate.from_certificate_arn(
                self, "Certificate", config.certificate_arn
            )
        self.frontend = GalvFrontend(
            self,
            "Frontend",
            domain_name=config.frontend_domain_name,
            api_url=backend.url,
            hosted_zone=zone,
            certificate=certificate,
            source=FrontendSource.release(config.frontend_version),
            latest_as_of=config.latest_as_of if config.frontend_version == "latest" else None,
            environment=config.frontend_environment,
            secrets=self._secrets(config),
            storage_buckets=[backend.media_bucket],
            storage_urls=config.frontend_storage_urls,
            analytics_url=config.frontend_analytics_url,
            log_bucket=log_bucket,
            production=config.is_production,
            removal_protection=config.removal_protection,
            preflight=config.preflight,
        )
        CfnOutput(self, "FrontendUrl", value=self.frontend.url, description="URL of the site")
        CfnOutput(
            self,
            "FrontendVersion",
            value=self.frontend.version,
            description="Version of the site that was published",
        )
        CfnOutput(
            self,
            "FrontendCommit",
            value=self.frontend.commit,
            description="Commit of the site that was published",
        )
        preflight_warnings(self)
        if zone is None:
            CfnOutput(
                self,
                "FrontendCnameTarget",
                value=self.frontend.distribution_domain_name,
                description=record_to_create(
                    config.frontend_domain_name, config.frontend_subdomain
                ),
            )

    def _secrets(self, config: GalvConfig) -> dict[str, ecs.Secret]:
        if not config.frontend_secrets_keys:
            return {}
        secret = secretsmanager.Secret.from_secret_name_v2(
            self, "FrontendSecrets", config.frontend_secrets_name
        )
        return {
            key: ecs.Secret.from_secrets_manager(secret, key)
            for key in config.frontend_secrets_keys
        }
