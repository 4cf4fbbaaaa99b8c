"""Checks the properties of infra/template.yaml after SAM's transformation, and that each check fails on a broken template.

An emulated account silently ignores much of a template (TTL, retry limits, dead letters, encryption),
so a deployment there proves little about it. `cargo xtask test --only deploy` runs this with the
Python that has aws-sam-cli.

`BUKTI_RELEASE=1` updates released.json: the properties whose change makes AWS replace a resource that
holds data.
"""

import json
import os
import re
import unittest
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "ap-southeast-3")

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "infra/template.yaml").read_text()
ITEMS = (ROOT / "functions/lib/records/src/keys/items.rs").read_text()
# What the keys of the audit, and of signers and other issuers, begin with.
AUDIT = re.search(r'const AUDIT: &str = "(\w+#)"', ITEMS)[1]
TRUST = re.search(r'const TRUST_SIGNERS: &str = "(\w+#)', ITEMS)[1]
RELEASED = Path(__file__).with_name("released.json")

FUNCTIONS = ["Intake", "Issue", "Publish", "Notify", "Status", "Otp", "Holder", "Helpdesk", "Sender"]
READS_SECRETS = {"secretsmanager:GetSecretValue", "kms:Decrypt"}
# The permissions of each function. A new permission has to be added here as well.
ALLOWED = {
    "Intake": {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket",
               "s3:PutObject", "dynamodb:ConditionCheckItem"},
    "Issue": {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query", "s3:PutObject", "s3:DeleteObject", "kms:Sign",
              "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem"},
    "Publish": {"dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "kms:Sign"},
    "Notify": {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query", "sns:Publish"},
    "Status": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"},
    "Otp": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query", "sns:Publish"},
    "Holder": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query", "s3:GetObject", "s3:PutObject"},
    "Helpdesk": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query",
                 "dynamodb:PartiQLInsert", "s3:PutObject", "s3:GetObject", "s3:ListBucket"},
    "Sender": {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query", "s3:GetObject", "s3:PutObject"},
}
# Actions without a resource: a policy cannot name a phone number.
WITHOUT_RESOURCE = {"sns:Publish"}

# Properties whose change makes CloudFormation replace the resource and leave its data behind.
REPLACING = {
    "AWS::DynamoDB::Table": ["TableName", "KeySchema"],
    "AWS::S3::Bucket": ["BucketName"],
    "AWS::KMS::Key": ["KeySpec", "KeyUsage"],
}


class NoManagedPolicies:
    """Resolves no managed policies, so that the transformation makes no calls to AWS."""

    def load(self):
        return {}


def transformed(source, canary="false"):
    template = yaml_parse(source)
    parameters = {name: str(about.get("Default", "x")) for name, about in template["Parameters"].items()}
    # SAM requires the location of the code, which is built later.
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://code/zip"
    return transform(template, parameters | {"Canary": canary}, NoManagedPolicies())


def violations(source):
    """The violated expectations, one sentence each."""
    template = transformed(source)
    resources = template["Resources"]
    properties = lambda name: resources.get(name, {}).get("Properties", {})
    of_type = lambda kind: {name: it for name, it in resources.items() if it["Type"] == kind}
    wrong = []

    def expect(good, what):
        if not good:
            wrong.append(what)

    # The table.
    table = properties("Table")
    expect(table.get("BillingMode") == "PAY_PER_REQUEST", "the table is not on demand")
    expect(table.get("TimeToLiveSpecification") == {"AttributeName": "expires_at", "Enabled": True}, "the table does not delete expired items")
    expect(table.get("PointInTimeRecoverySpecification") == {"PointInTimeRecoveryEnabled": True}, "the table cannot be restored")
    expect(table.get("StreamSpecification") == {"StreamViewType": "NEW_AND_OLD_IMAGES"}, "the table has no stream of old and new images")
    expect(table.get("DeletionProtectionEnabled") is True, "the table can be deleted")
    expect(table.get("SSESpecification", {}).get("SSEType") == "KMS", "the table is not encrypted with a key of the deployment")

    # Resources with data or keys are retained.
    for name in ["Table", "Bucket", "PublicBucket", "DataKey", "SealingKey", "SigningKey"]:
        policies = [resources.get(name, {}).get(policy) for policy in ("DeletionPolicy", "UpdateReplacePolicy")]
        expect(policies == ["Retain", "Retain"], f"{name} is deleted with the stack")
    for name, key in of_type("AWS::KMS::Key").items():
        symmetric = "KeySpec" not in key["Properties"]
        expect(not symmetric or key["Properties"].get("EnableKeyRotation"), f"{name} is never rotated")

    # The buckets.
    denied_without_tls = {
        statement_bucket(policy)
        for policy in of_type("AWS::S3::BucketPolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    }
    for name, bucket in of_type("AWS::S3::Bucket").items():
        block = bucket["Properties"].get("PublicAccessBlockConfiguration", {})
        whole = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"]
        expect(all(block.get(one) is True for one in whole), f"{name} can be made public")
        expect("BucketEncryption" in bucket["Properties"], f"{name} is not encrypted")
        expect(name in denied_without_tls, f"{name} can be read without TLS")
    documents = properties("Bucket")
    expect(documents.get("VersioningConfiguration") == {"Status": "Enabled"}, "overwritten documents are lost")
    expect("aws:kms" in json.dumps(documents.get("BucketEncryption", {})), "documents are not encrypted with a key of the deployment")
    rules = {rule["Id"]: rule for rule in documents.get("LifecycleConfiguration", {}).get("Rules", [])}
    for rule in ["feeds", "reports", "copies", "evidence"]:
        expect("ExpirationInDays" in rules.get(rule, {}), f"{rule} are kept for ever")

    # Streams: a failing record does not block the others, and is not lost.
    mappings = of_type("AWS::Lambda::EventSourceMapping")
    expect(len(mappings) == 2, "issue and notify do not read the table's stream")
    for name, mapping in mappings.items():
        it = mapping["Properties"]
        expect(it.get("BisectBatchOnFunctionError") is True, f"{name}: a failing record blocks its batch")
        expect(1 <= it.get("MaximumRetryAttempts", -1) <= 100, f"{name}: a failing record blocks the stream for a day")
        expect(it.get("FunctionResponseTypes") == ["ReportBatchItemFailures"], f"{name}: records that succeeded are retried")
        expect("OnFailure" in it.get("DestinationConfig", {}), f"{name}: records that fail are lost")
        filters = [it["Pattern"] for it in it.get("FilterCriteria", {}).get("Filters", [])]
        # `cargo test -p bukti-local template` compares them with the patterns in the code.
        expect(1 <= len(filters) <= 5, f"{name}: AWS allows five filters")
    expect("DeadLetterConfig" in properties("IntakeFunction"), "a feed that fails is lost")
    schedules = of_type("AWS::Scheduler::Schedule").values()
    expect(schedules and all("DeadLetterConfig" in it["Properties"]["Target"] for it in schedules), "a failed publication has no dead letter")
    expect("intake/feeds/" in json.dumps(documents.get("NotificationConfiguration", {})), "an uploaded feed does not invoke intake")

    # The functions.
    names = of_type("AWS::Lambda::Function")
    expect(set(names) == {f"{name}Function" for name in FUNCTIONS}, "the functions are not the nine expected ones")
    for name in FUNCTIONS:
        function = properties(f"{name}Function")
        expect(function.get("Runtime") == "provided.al2023", f"{name}: the runtime is not provided.al2023")
        expect(function.get("Role") == {"Fn::GetAtt": [f"{name}FunctionRole", "Arn"]}, f"{name} has no role of its own")
        expect(function.get("TracingConfig") == {"Mode": "Active"}, f"{name} is not traced")
        log = function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref")
        expect("RetentionInDays" in properties(log), f"{name}: its log never expires")
        variables = function.get("Environment", {}).get("Variables", {})
        expect(variables.get("BUKTI_EDGE_ONLY") == "true", f"{name} accepts requests that bypass CloudFront")
        wrong.extend(role_faults(name, properties(f"{name}FunctionRole")))

    # The API.
    routes = of_type("AWS::ApiGatewayV2::Route")
    integrations = of_type("AWS::ApiGatewayV2::Integration")
    permitted = {json.dumps(it["Properties"]["FunctionName"]) for it in of_type("AWS::Lambda::Permission").values()}
    for name, route in routes.items():
        target = re.search(r"integrations/\$\{(\w+)\}", json.dumps(route["Properties"]["Target"]))
        expect(target and target[1] in integrations, f"{name} has no integration")
    for name, integration in integrations.items():
        it = integration["Properties"]
        expect(it.get("PayloadFormatVersion") == "2.0", f"{name}: the functions read payloads of version 2.0")
        expect(json.dumps(it["IntegrationUri"]) in permitted, f"{name}: the API may not invoke its function")

    # The alarms.
    alarms = json.dumps(list(of_type("AWS::CloudWatch::Alarm").values()))
    for metric in ["Errors", "Throttles", "IteratorAge", "Duration", "ApproximateNumberOfMessagesVisible", "SmsBudget", "5xx"]:
        expect(f'"MetricName": "{metric}"' in alarms, f"there is no alarm for {metric}")
    filters = [it["Properties"]["FilterPattern"] for it in of_type("AWS::Logs::MetricFilter").values()]
    said = re.findall(r'alarm = "(\w+)"', (ROOT / "functions/lib/store/src/sms.rs").read_text())
    expect(said and filters and all(f'"{word}"' in pattern for word in said for pattern in filters), "the metric filters miss alarms that the functions log")
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        expect("AlarmActions" in alarm["Properties"], f"{name} has no action")

    # The site.
    distribution = properties("Distribution").get("DistributionConfig", {})
    api = next((it for it in distribution.get("CacheBehaviors", []) if it["PathPattern"] == "/api/*"), {})
    expect(api.get("CachePolicyId") == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "responses of the API are cached")
    expect("SetClientAddress" in json.dumps(api.get("FunctionAssociations", [])), "rate limits count CloudFront instead of the client")
    for origin in distribution.get("Origins", []):
        by_oac = "OriginAccessControlId" in origin
        expect(by_oac != ("CustomOriginConfig" in origin), f"CloudFront reads the origin {origin['Id']} without credentials")
        expect(by_oac or "x-bukti-edge" in json.dumps(origin), f"the origin {origin['Id']} cannot recognise CloudFront")
    expect("CustomErrorResponses" not in distribution, "CloudFront replaces errors of the API by a page")
    for name, behaviour in [("site", distribution.get("DefaultCacheBehavior", {})), ("API", api)]:
        expect(behaviour.get("ResponseHeadersPolicyId") == {"Ref": "SecurityHeaders"}, f"the {name} has no security headers")
        expect(behaviour.get("ViewerProtocolPolicy") in ("redirect-to-https", "https-only"), f"the {name} is served without TLS")
    expect("WebACLId" in distribution, "there is no firewall")

    # Canaries are optional, because they take minutes.
    expect(not of_type("AWS::CodeDeploy::DeploymentGroup"), "there are canaries although they are off")
    groups = [it for it in transformed(source, "true")["Resources"].values() if it["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
    expect(len(groups) == len(FUNCTIONS), "there are no canaries although they are on")
    for group in groups:
        it = group["Properties"]
        expect("ErrorsAlarm" in json.dumps(it.get("AlarmConfiguration", {})) and it["AutoRollbackConfiguration"]["Enabled"], "a bad version is not rolled back")
    return wrong


def statement_bucket(policy):
    return policy["Properties"]["Bucket"]["Ref"]


def role_faults(name, role):
    """The faults of a function's role."""
    statements = [it for policy in role.get("Policies", []) for it in policy["PolicyDocument"]["Statement"]]
    as_list = lambda it: it if isinstance(it, list) else [it]
    actions = set()
    for statement in statements:
        if statement["Effect"] != "Allow":
            continue
        of_this = set(as_list(statement["Action"]))
        actions |= of_this
        if "*" in as_list(statement["Resource"]) and not of_this <= WITHOUT_RESOURCE:
            yield f"{name} may do {', '.join(sorted(of_this))} to anything"
    audit = next((it for it in statements if it["Effect"] == "Deny" and f"{AUDIT}*" in json.dumps(it.get("Condition", {}))), {"Action": []})
    if not {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"} <= set(audit["Action"]):
        yield f"{name} may change or delete audit entries"
    expected = ALLOWED[name] | READS_SECRETS
    # SAM adds this for dead letters.
    actions -= {"sqs:SendMessage"}
    if actions != expected:
        yield f"{name} has the extra permissions {sorted(actions - expected)} and lacks {sorted(expected - actions)}"
    signs = name in ("Issue", "Publish")
    if not signs and not any(it["Effect"] == "Deny" and f"{TRUST}*" in json.dumps(it) for it in statements):
        yield f"{name} reads the signers' keys"


def patterns_of(function):
    source = (ROOT / f"functions/{function}/src/lib.rs").read_text()
    return re.findall(r'r#"(.*?)"#', source.split("pub const PATTERNS", 1)[1].split("];", 1)[0])


def replacing_properties(source):
    """The properties whose change makes AWS replace a resource with data."""
    resources = yaml_parse(source)["Resources"]
    return {
        name: {"Type": it["Type"]} | {one: it["Properties"].get(one) for one in REPLACING[it["Type"]]}
        for name, it in sorted(resources.items())
        if it["Type"] in REPLACING
    }


class Template(unittest.TestCase):
    maxDiff = None

    def test_meets_every_expectation(self):
        self.assertEqual(violations(SOURCE), [])

    def test_no_resource_with_data_is_replaced(self):
        if os.environ.get("BUKTI_RELEASE"):
            RELEASED.write_text(json.dumps(replacing_properties(SOURCE), indent=2) + "\n")
        self.assertEqual(replacing_properties(SOURCE), json.loads(RELEASED.read_text()), "see the top of this file")

    def assert_detected(self, line, instead):
        self.assertIn(line, SOURCE)
        self.assertNotEqual(violations(SOURCE.replace(line, instead, 1)), [], line)


# Each is a line of the template, and its broken replacement.
BREAKAGES = {
    "a_missing_permission": ("dynamodb:BatchGetItem, dynamodb:PutItem, dynamodb:UpdateItem", "dynamodb:BatchGetItem, dynamodb:UpdateItem"),
    "an_extra_permission": ("Action: [s3:PutObject, s3:DeleteObject]", "Action: s3:*"),
    "any_resource": ("Resource: !GetAtt Table.Arn", 'Resource: "*"'),
    "a_route_without_integration": ("integrations/${HolderIntegration}", "integrations/${HolderIntegrations}"),
    "ttl_off": ("AttributeName: expires_at, Enabled: true", "AttributeName: expires_at, Enabled: false"),
    "no_dead_letters_of_a_stream": ("            DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt DeadLetters.Arn } }\n", ""),
    "endless_retries": ("            MaximumRetryAttempts: 10\n", ""),
    "a_public_bucket": ("RestrictPublicBuckets: true", "RestrictPublicBuckets: false"),
    "a_table_deleted_with_the_stack": ("    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      BillingMode", "    Properties:\n      BillingMode"),
    "no_point_in_time_recovery": ("PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    "a_table_without_its_own_key": ("SSEType: KMS, ", ""),
    "an_api_open_to_everybody": ('BUKTI_EDGE_ONLY: "true"', 'BUKTI_EDGE_ONLY: "false"'),
    "an_api_without_the_edge_key": ("- HeaderName: x-bukti-edge", "- HeaderName: x-edge"),
    "a_log_without_retention": ('"/bukti/${AWS::StackName}/otp", RetentionInDays: !Ref LogRetentionDays', '"/bukti/${AWS::StackName}/otp"'),
    "an_alarm_without_action": ("      AlarmActions: *Call\n", ""),
    "an_integration_without_permission": ("      FunctionName: !Ref OtpFunction.Alias\n", "      FunctionName: !Ref StatusFunction.Alias\n"),
    "signers_keys_for_everybody": ("            - *NoSigners\n", ""),
}

for name, (line, instead) in BREAKAGES.items():
    setattr(Template, f"test_{name}_is_detected", lambda self, line=line, instead=instead: self.assert_detected(line, instead))


class Data(unittest.TestCase):
    def test_a_renamed_bucket_is_detected(self):
        line = "BucketName: !Sub ${AWS::StackName}-"
        other = SOURCE.replace(line + "documents", line + "papers", 1)
        self.assertNotEqual(replacing_properties(other), replacing_properties(SOURCE))


if __name__ == "__main__":
    unittest.main()
