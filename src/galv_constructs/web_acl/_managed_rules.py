"""AWS's managed rule groups that a `GalvWebAcl` has, and which of their rules count."""

from collections.abc import Mapping, Sequence

# In the order in which requests meet them, each with the id of its rule:
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
MANAGED_GROUPS: Mapping[str, str] = {
    "IpReputation": "AWSManagedRulesAmazonIpReputationList",
    "KnownBadInputs": "AWSManagedRulesKnownBadInputsRuleSet",
    "Common": "AWSManagedRulesCommonRuleSet",
    "SqlInjection": "AWSManagedRulesSQLiRuleSet",
}
ALWAYS_COUNTED: Mapping[str, Sequence[str]] = {
    "AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",)
}
# Rules that search the first 8 KB of a body, with the labels that they add:
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html and
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-use-case.html
# A file with "random characters … similar to an actual XSS or SQL injection signature" is blocked:
# https://repost.aws/knowledge-center/waf-upload-blocked-files
# So the groups count, and a rule behind them blocks by label what is no upload.
BODY_RULES: Mapping[str, Mapping[str, str]] = {
    "AWSManagedRulesKnownBadInputsRuleSet": {
        "JavaDeserializationRCE_BODY": "known-bad-inputs:JavaDeserializationRCE_Body",
        "Log4JRCE_BODY": "known-bad-inputs:Log4JRCE_Body",
        "ReactJSRCE_BODY": "known-bad-inputs:ReactJSRCE_Body",
    },
    "AWSManagedRulesCommonRuleSet": {
        "CrossSiteScripting_BODY": "core-rule-set:CrossSiteScripting_Body",
        "EC2MetaDataSSRF_BODY": "core-rule-set:EC2MetaDataSSRF_Body",
        "GenericLFI_BODY": "core-rule-set:GenericLFI_Body",
        "GenericRFI_BODY": "core-rule-set:GenericRFI_Body",
    },
    "AWSManagedRulesSQLiRuleSet": {
        "SQLi_BODY": "sql-database:SQLi_Body",
        "SQLiExtendedPatterns_BODY": "sql-database:SQLiExtendedPatterns_Body",
    },
}
