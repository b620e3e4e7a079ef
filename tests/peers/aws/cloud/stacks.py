"""stacks.py - what CloudFormation keeps: stacks with their resources, events and change sets"""
import json
import uuid

from kinds import KINDS, Context
from shapes import Refused, now
from template import Scope

ACCOUNT = "123456789012"


class Settings:
    """What /_control sets."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.pace, self.page, self.failures = 0, 100, []
        self.quotas = {"L-F678F1CE": 5.0, "L-0263D0A3": 5.0}
        self.offers, self.reservations, self.blocks = {}, [], []


SETTINGS = Settings()


class Resource:
    def __init__(self, logical, kind):
        self.logical, self.type, self.kind = logical, kind, KINDS[kind]
        self.physical, self.properties, self.attributes = "", {}, {}
        self.status, self.reason, self.time, self.token = "", None, now(), None
        self.needs, self.retain, self.drift = set(), False, None

    @property
    def reference(self):
        return self.physical


class Stack:
    def __init__(self, region, name, parameters, tags):
        self.region, self.name, self.uuid = region, name, str(uuid.uuid4())
        self.id = f"arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{name}/{self.uuid}"
        self.text, self.template, self.parameters, self.tags = "", {"Resources": {}}, parameters, tags
        self.status, self.reason, self.capabilities = "REVIEW_IN_PROGRESS", None, []
        self.created, self.updated, self.deleted = now(), None, None
        self.resources, self.events, self.outputs, self.changes = {}, [], [], []
        self.protected, self.keep_failed, self.token, self.change_set, self.drift = False, False, None, None, None
        self.parent, self.root = None, None
        self.stop = False  # CancelUpdateStack

    @property
    def busy(self):
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def gone(self):
        return self.status == "DELETE_COMPLETE"

    # --- events -------------------------------------------------------------------------------------------------------

    def event(self, status, reason=None, token=None):
        self.status, self.reason = status, reason
        if status.endswith("_COMPLETE") or status.endswith("_FAILED"):
            self.change_set and self.change_set.ended(status)
        self._add(str(uuid.uuid4()), self.name, self.id, "AWS::CloudFormation::Stack", status, reason, token or self.token)

    def resource_event(self, resource, status, reason=None):
        resource.status, resource.reason, resource.time = status, reason, now()
        stamp = resource.time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{resource.time.microsecond // 1000:03d}Z"
        self._add(f"{resource.logical}-{status}-{stamp}", resource.logical, resource.physical, resource.type, status, reason, self.token,
                  json.dumps(resource.properties) if resource.properties else None)

    def _add(self, number, logical, physical, kind, status, reason, token, properties=None):
        event = {"StackId": self.id, "EventId": number, "StackName": self.name, "LogicalResourceId": logical, "PhysicalResourceId": physical,
                 "ResourceType": kind, "Timestamp": now(), "ResourceStatus": status, "ResourceStatusReason": reason,
                 "ClientRequestToken": token, "ResourceProperties": properties}
        if any(e["EventId"] == number for e in self.events[-20:]):
            event["EventId"] = f"{number}-{len(self.events)}"
        self.events.append(event)

    # --- what is made of it -------------------------------------------------------------------------------------------

    def scope(self, template, values, resources, cloud):
        pseudo = {"AWS::AccountId": ACCOUNT, "AWS::NotificationARNs": [], "AWS::Partition": "aws", "AWS::Region": self.region,
                  "AWS::StackId": self.id, "AWS::StackName": self.name, "AWS::URLSuffix": "amazonaws.com"}
        return Scope(template, values, pseudo, resources, cloud.zones(), cloud.exports(self))

    def context(self, logical, tags=None):
        return Context(self.region, ACCOUNT, self.name, self.id, logical, self.tags if tags is None else tags)

    def describe(self):
        drift = {"StackDriftStatus": self.drift or "NOT_CHECKED"}
        return {
            "StackId": self.id, "StackName": self.name, "Description": self.template.get("Description"), "CreationTime": self.created,
            "LastUpdatedTime": self.updated, "DeletionTime": self.deleted, "StackStatus": self.status, "StackStatusReason": self.reason,
            "DisableRollback": self.keep_failed, "NotificationARNs": [], "Capabilities": self.capabilities,
            "Parameters": shown(self.template, self.parameters), "Outputs": self.outputs if not self.gone else [], "Tags": self.tags,
            "EnableTerminationProtection": self.protected, "DriftInformation": drift,
            "ChangeSetId": self.change_set.id if self.change_set else None, "RollbackConfiguration": {}, "ParentId": self.parent, "RootId": self.root}


def shown(template, values):
    hidden = {n for n, how in template.get("Parameters", {}).items() if str(how.get("NoEcho")).lower() == "true"}
    return [{"ParameterKey": k, "ParameterValue": "****" if k in hidden else v} for k, v in values.items()]


class Cloud:
    """CloudFormation in one region."""

    def __init__(self, region):
        self.region, self.stacks, self.detections = region, [], {}

    def zones(self):
        found = KINDS["AWS::EC2::VPC"].ec2(Context(self.region, ACCOUNT, "", "", "", [])).describe_availability_zones()
        return [z["ZoneName"] for z in found["AvailabilityZones"]]

    def exports(self, besides=None):
        return {o["ExportName"]: o["OutputValue"] for s in self.stacks if not s.gone and s is not besides
                for o in s.outputs if o.get("ExportName")}

    def find(self, name, words="Stack with id {} does not exist"):
        """By name one that is not deleted, by id any."""
        for stack in reversed(self.stacks):
            if stack.id == name or stack.name == name and not stack.gone:
                return stack
        raise Refused("ValidationError", words.format(name))

    def named(self, name):
        return next((s for s in self.stacks if not s.gone and name in (s.name, s.id)), None)


CLOUDS = {}


def cloud_of(region):
    return CLOUDS.setdefault(region, Cloud(region))


def reset():
    CLOUDS.clear()
    SETTINGS.reset()
