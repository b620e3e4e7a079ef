"""kinds_events.py - rules of EventBridge, and the functions that they call"""
import io
import json
import zipfile

from botocore.exceptions import ClientError

from kinds import ALWAYS, NEVER, Kind, absent, kind
from kinds_storage import physical_name


def _archive(text):
    """What Lambda makes of inline code: index.py alone."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("index.py", text)
    return data.getvalue()


@kind
class Function(Kind):  # aws-resource-lambda-function.html
    type, tagged = "AWS::Lambda::Function", True
    properties = {"Code": NEVER, "Description": NEVER, "Environment": NEVER, "FunctionName": ALWAYS, "Handler": NEVER, "LoggingConfig": NEVER,
                  "MemorySize": NEVER, "Role": NEVER, "Runtime": NEVER, "Tags": NEVER, "Timeout": NEVER}
    attributes, required = ("Arn",), ("Code", "Role")

    def create(self, c, p):
        name = p.get("FunctionName") or physical_name(c, 64)
        more = {k: p[k] for k in ("Description", "Environment", "Handler", "LoggingConfig", "Role", "Runtime") if k in p}
        more.update({k: int(p[k]) for k in ("MemorySize", "Timeout") if k in p})
        made = c.client("lambda").create_function(FunctionName=name, Code={"ZipFile": _archive(p["Code"]["ZipFile"])},
                                                  Tags={t["Key"]: t["Value"] for t in c.tags(p.get("Tags", ()))}, **more)
        return name, {"Arn": made["FunctionArn"]}

    def delete(self, c, physical, p):
        c.client("lambda").delete_function(FunctionName=physical)

    def live(self, c, physical, p):
        try:
            c.client("lambda").get_function(FunctionName=physical)
            return {}
        except ClientError as e:
            if absent(e):
                return None
            raise


@kind
class Permission(Kind):  # aws-resource-lambda-permission.html
    type, properties = "AWS::Lambda::Permission", {"Action": ALWAYS, "FunctionName": ALWAYS, "Principal": ALWAYS, "SourceArn": ALWAYS}
    required = ("Action", "FunctionName", "Principal")

    def create(self, c, p):
        number = physical_name(c, 100)
        c.client("lambda").add_permission(StatementId=number, **p)
        return number, {}

    def delete(self, c, physical, p):
        c.client("lambda").remove_permission(FunctionName=p["FunctionName"], StatementId=physical)


@kind
class Rule(Kind):  # aws-resource-events-rule.html
    type = "AWS::Events::Rule"
    properties = {"Description": NEVER, "EventPattern": NEVER, "Name": ALWAYS, "State": NEVER, "Targets": NEVER}
    attributes = ("Arn",)

    def create(self, c, p):
        name = p.get("Name") or physical_name(c, 64)
        more = {k: p[k] for k in ("Description", "State") if k in p}
        made = c.client("events").put_rule(Name=name, EventPattern=json.dumps(p["EventPattern"]), **more)
        c.client("events").put_targets(Rule=name, Targets=p["Targets"])
        return name, {"Arn": made["RuleArn"]}

    def delete(self, c, physical, p):
        c.client("events").remove_targets(Rule=physical, Ids=[t["Id"] for t in p["Targets"]])
        c.client("events").delete_rule(Name=physical)
