"""kinds.py - what every resource type has: its properties, what a change of each does, and how it is made and unmade

A type makes its resource by calls to the service as any client would, so that what is live is moto's own. Types are registered by
`@kind`; the resource specification of AWS::EC2::VPC is the page aws-resource-ec2-vpc.html of the CloudFormation template reference,
and so on: each class names its page.
"""
import threading
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

KINDS, CLIENTS, LOCK = {}, {}, threading.Lock()
NEVER, ALWAYS, PERHAPS = "Never", "Always", "Conditionally"


def kind(cls):
    KINDS[cls.type] = cls()
    return cls


def aws(region, service):
    with LOCK:
        if (region, service) not in CLIENTS:
            # mock_aws answers in this process.
            CLIENTS[region, service] = boto3.client(service, region_name=region, aws_access_key_id="cloud", aws_secret_access_key="cloud",
                                                    config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))
        return CLIENTS[region, service]


def code_of(error):
    return error.response["Error"]["Code"]


class Failure(Exception):
    """A resource's own reason for not being made, changed or deleted."""


class Context:
    """Whose resource it is: the stack's name and id, the resource's logical id, and what it gets as tags."""

    def __init__(self, region, account, stack, stack_id, logical, tags):
        self.region, self.account, self.stack, self.stack_id = region, account, stack, stack_id
        self.logical, self.stack_tags, self.began = logical, tags, None  # began: for the physical id, if it is known early

    def client(self, service):
        return aws(self.region, service)

    def tags(self, own=()):
        """The resource's own, the stack's, and CloudFormation's, as a list of Key and Value."""
        tags = {t["Key"]: t["Value"] for t in self.stack_tags}
        tags.update({t["Key"]: t["Value"] for t in own})
        tags.update({"aws:cloudformation:stack-name": self.stack, "aws:cloudformation:stack-id": self.stack_id,
                     "aws:cloudformation:logical-id": self.logical})
        return [{"Key": k, "Value": str(v)} for k, v in tags.items()]


class Kind:
    type, properties, attributes, required, tagged = "", {}, (), (), False
    automatic = False  # an update looks at it though none of its properties has changed

    def create(self, c, p):
        """The physical id and the attributes."""
        raise NotImplementedError

    def update(self, c, physical, old, new):
        """Changes in place what differs."""
        raise Failure("Update of resource type is not supported.")

    def delete(self, c, physical, p):
        raise NotImplementedError

    def live(self, c, physical, p):
        """The properties in question as they are: {} if drift is not looked for; None: it is gone."""
        return {}

    def check(self, p):
        unknown = [name for name in p if name not in self.properties]
        missing = [name for name in self.required if name not in p]
        if unknown or missing:
            words = [f"#: extraneous key [{n}] is not permitted" for n in unknown] + [f"#: required key [{n}] not found" for n in missing]
            raise Failure(f"Properties validation failed for resource {{}} with message:\n{chr(10).join(words)}")


def reason_of(error, token):
    """A ClientError as CloudFormation words it in an event."""
    e = error.response
    service = {"ec2": "Ec2", "iam": "Iam", "logs": "CloudWatchLogs", "s3": "S3"}
    name = service.get(getattr(error, "service", ""), getattr(error, "service", "Ec2"))
    code = code_of(error)
    handler = {"VpcLimitExceeded": "ServiceLimitExceeded", "AddressLimitExceeded": "ServiceLimitExceeded",
               "BucketAlreadyExists": "AlreadyExists", "BucketAlreadyOwnedByYou": "AlreadyExists", "EntityAlreadyExists": "AlreadyExists",
               "BucketNotEmpty": "GeneralServiceException", "AccessDenied": "AccessDenied",
               "UnauthorizedOperation": "AccessDenied"}.get(code, "InvalidRequest")
    return (f"Resource handler returned message: \"{e['Error']['Message']} (Service: {name}, Status Code: "
            f"{e['ResponseMetadata']['HTTPStatusCode']}, Request ID: {uuid.uuid4()})\" "
            f"(RequestToken: {token}, HandlerErrorCode: {handler})")


def absent(error, *codes):
    """The error says that the thing is gone."""
    return isinstance(error, ClientError) and (code_of(error) in codes or "NotFound" in code_of(error) or code_of(error).startswith("NoSuch"))
