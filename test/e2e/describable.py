"""Whether what CloudFormation says that it made is there, by the API of each resource's service."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from e2e.stack import Stack

# Service, operation, parameter that takes the physical id: in a list if the name is a plural.
_DESCRIBED_BY = {
    "AWS::CertificateManager::Certificate": ("acm", "describe_certificate", "CertificateArn"),
    "AWS::CloudFront::CachePolicy": ("cloudfront", "get_cache_policy", "Id"),
    "AWS::CloudFront::Distribution": ("cloudfront", "get_distribution", "Id"),
    "AWS::CloudFront::OriginAccessControl": ("cloudfront", "get_origin_access_control", "Id"),
    "AWS::CloudFront::ResponseHeadersPolicy": ("cloudfront", "get_response_headers_policy", "Id"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "describe_alarms", "AlarmNames"),
    "AWS::CodeBuild::Project": ("codebuild", "batch_get_projects", "names"),
    "AWS::EC2::EIP": ("ec2", "describe_addresses", "PublicIps"),
    "AWS::EC2::FlowLog": ("ec2", "describe_flow_logs", "FlowLogIds"),
    "AWS::EC2::InternetGateway": ("ec2", "describe_internet_gateways", "InternetGatewayIds"),
    "AWS::EC2::NatGateway": ("ec2", "describe_nat_gateways", "NatGatewayIds"),
    "AWS::EC2::RouteTable": ("ec2", "describe_route_tables", "RouteTableIds"),
    "AWS::EC2::SecurityGroup": ("ec2", "describe_security_groups", "GroupIds"),
    "AWS::EC2::Subnet": ("ec2", "describe_subnets", "SubnetIds"),
    "AWS::EC2::VPC": ("ec2", "describe_vpcs", "VpcIds"),
    "AWS::EC2::VPCEndpoint": ("ec2", "describe_vpc_endpoints", "VpcEndpointIds"),
    "AWS::ECR::Repository": ("ecr", "describe_repositories", "repositoryNames"),
    "AWS::ECS::Cluster": ("ecs", "describe_clusters", "clusters"),
    "AWS::ECS::TaskDefinition": ("ecs", "describe_task_definition", "taskDefinition"),
    "AWS::ElasticLoadBalancingV2::Listener": ("elbv2", "describe_listeners", "ListenerArns"),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ("elbv2", "describe_rules", "RuleArns"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        "elbv2",
        "describe_load_balancers",
        "LoadBalancerArns",
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        "elbv2",
        "describe_target_groups",
        "TargetGroupArns",
    ),
    "AWS::Events::Rule": ("events", "describe_rule", "Name"),
    "AWS::IAM::Group": ("iam", "get_group", "GroupName"),
    "AWS::IAM::ManagedPolicy": ("iam", "get_policy", "PolicyArn"),
    "AWS::IAM::Role": ("iam", "get_role", "RoleName"),
    "AWS::IAM::User": ("iam", "get_user", "UserName"),
    "AWS::Lambda::Function": ("lambda", "get_function", "FunctionName"),
    "AWS::Logs::LogGroup": ("logs", "describe_log_groups", "logGroupNamePrefix"),
    "AWS::RDS::DBInstance": ("rds", "describe_db_instances", "DBInstanceIdentifier"),
    "AWS::RDS::DBParameterGroup": ("rds", "describe_db_parameter_groups", "DBParameterGroupName"),
    "AWS::RDS::DBSubnetGroup": ("rds", "describe_db_subnet_groups", "DBSubnetGroupName"),
    "AWS::S3::Bucket": ("s3", "head_bucket", "Bucket"),
    "AWS::SES::ConfigurationSet": ("sesv2", "get_configuration_set", "ConfigurationSetName"),
    "AWS::SES::EmailIdentity": ("sesv2", "get_email_identity", "EmailIdentity"),
    "AWS::SNS::Topic": ("sns", "get_topic_attributes", "TopicArn"),
    "AWS::SSM::Parameter": ("ssm", "get_parameter", "Name"),
    "AWS::SQS::Queue": ("sqs", "get_queue_attributes", "QueueUrl"),
    "AWS::Scheduler::ScheduleGroup": ("scheduler", "get_schedule_group", "Name"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "describe_secret", "SecretId"),
    "AWS::StepFunctions::StateMachine": (
        "stepfunctions",
        "describe_state_machine",
        "stateMachineArn",
    ),
}
# Parts of others, which are read where those are, and what has no API.
_PARTS = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CDK::Metadata",
    "AWS::CloudFront::Function",
    "AWS::EC2::Route",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ECS::Service",
    "AWS::IAM::Policy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Route53::RecordSet",
    "AWS::S3::BucketPolicy",
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
}


def missing(stack: Stack) -> Iterator[str]:
    """Name the resources of a stack that their services do not know."""
    for logical_id, resource in stack.resources().items():
        kind, id = resource["ResourceType"], resource["PhysicalResourceId"]
        if kind in _PARTS or kind.startswith("Custom::"):
            continue
        if not _is_there(stack, *_DESCRIBED_BY[kind], id):
            yield f"{kind} {logical_id} {id}"


def _is_there(stack: Stack, service: str, operation: str, parameter: str, id: str) -> bool:
    many = parameter.endswith("s")
    try:
        answer: dict[str, Any] = getattr(stack.cloud.client(service), operation)(
            **{parameter: [id] if many else id}
        )
    except ClientError:
        return False
    del answer["ResponseMetadata"]
    # Some say nothing of what they do not know.
    return operation == "head_bucket" or any(answer.values())
