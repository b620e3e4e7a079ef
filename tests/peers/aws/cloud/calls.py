"""calls.py - CloudFormation's operations, as its API reference has them"""
import json
import time
from urllib.parse import unquote, urlsplit

import drift
import engine
from changes import ChangeSet, Plan
from kinds import KINDS, aws
from shapes import Refused, now
from stacks import SETTINGS, Stack, cloud_of
from template import LARGEST, LARGEST_BODY, Invalid, check, parameters, read

NAMED = {"AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::InstanceProfile": "InstanceProfileName"}
UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "CREATE_FAILED", "IMPORT_COMPLETE"}


def call(operation, region, p):
    if operation not in OPERATIONS:
        raise Refused("InvalidAction", f"The cloud of the tests has no {operation}")
    try:
        return OPERATIONS[operation](cloud_of(region), p)
    except Invalid as e:
        raise Refused("ValidationError", str(e)) from None


# --- what is asked for ------------------------------------------------------------------------------------------------


def template_text(cloud, p, previous=None):
    if p.get("UsePreviousTemplate"):
        return previous.text
    if p.get("TemplateBody"):
        if len(p["TemplateBody"].encode()) > LARGEST_BODY:
            raise Refused("ValidationError", "1 validation error detected: Value '" + p["TemplateBody"][:60] + "...' at 'templateBody' failed to "
                          f"satisfy constraint: Member must have length less than or equal to {LARGEST_BODY}")
        return p["TemplateBody"]
    if not p.get("TemplateURL"):
        raise Refused("ValidationError", "Either Template URL or Template Body must be specified.")
    url = urlsplit(p["TemplateURL"])
    host, path = url.hostname or "", unquote(url.path).lstrip("/")
    at = host.find(".s3")
    bucket, key = (host[:at], path) if at > 0 else path.partition("/")[::2]
    try:
        body = aws(cloud.region, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except Exception:  # noqa: BLE001
        raise Refused("ValidationError", "S3 error: Access Denied\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/"
                      "ErrorResponses.html") from None
    if len(body) > LARGEST:
        raise Refused("ValidationError", f"Template may not exceed {LARGEST} bytes in size.")
    return body.decode()


def capabilities(template, given):
    kinds = [r for r in template["Resources"].values() if r["Type"].startswith("AWS::IAM::")]
    named = any(NAMED.get(r["Type"]) in r.get("Properties", {}) for r in kinds)
    if kinds and not ("CAPABILITY_NAMED_IAM" in given or "CAPABILITY_IAM" in given and not named):
        raise Refused("InsufficientCapabilitiesException", f"Requires capabilities : [CAPABILITY_{'NAMED_' if named else ''}IAM]")


def plan_of(cloud, p, create, before=None):
    text = template_text(cloud, p, before)
    template = read(text)
    check(template, KINDS)
    given = {x["ParameterKey"]: None if x.get("UsePreviousValue") else x.get("ParameterValue", "") for x in p.get("Parameters", ())}
    values = parameters(template, given, before.parameters if before else {})
    capabilities(template, p.get("Capabilities", ()))
    tags = p.get("Tags", before.tags if before else []) or []
    if any(t["Key"].startswith("aws:") for t in tags):
        raise Refused("ValidationError", "aws: prefixed tag key names are not allowed for external use.")
    failure = p.get("OnStackFailure") or p.get("OnFailure") or ("DO_NOTHING" if p.get("DisableRollback") else "ROLLBACK")
    return Plan(create, text, template, values, tags, p.get("Capabilities", []), failure, bool(p.get("DisableRollback")) or failure == "DO_NOTHING")


def _updatable(stack):
    if stack.status not in UPDATABLE:
        raise Refused("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def _page(entries, p, limit=None):
    limit, at = limit or SETTINGS.page, int(p.get("NextToken") or 0)
    return entries[at:at + limit], str(at + limit) if at + limit < len(entries) else None


# --- change sets ------------------------------------------------------------------------------------------------------


def create_change_set(cloud, p):
    create, name = p.get("ChangeSetType", "UPDATE") == "CREATE", p["ChangeSetName"]
    stack = cloud.named(p["StackName"])
    for old in stack.changes if stack else ():
        if old.name == name:
            if p.get("ClientToken") and old.token == p["ClientToken"]:
                return {"Id": old.id, "StackId": stack.id}
            raise Refused("AlreadyExistsException", f"ChangeSet {name} cannot be created due to a mismatch with existing attribute "
                          "ClientToken" if p.get("ClientToken") else f"ChangeSet {old.id} already exists")
    if create:
        if stack and stack.status != "REVIEW_IN_PROGRESS":
            raise Refused("ValidationError", f"Stack [{stack.name}] already exists and cannot be created again with the changeSet [{name}].")
    else:
        if not stack:
            raise Refused("ValidationError", f"Stack [{p['StackName']}] does not exist")
        _updatable(stack)
    plan = plan_of(cloud, p, create, None if create else stack)
    if not stack:
        stack = Stack(cloud.region, p["StackName"], plan.values, plan.tags)
        cloud.stacks.append(stack)
        stack.event("REVIEW_IN_PROGRESS", "User Initiated")
    change = ChangeSet(stack, name, plan, "CREATE" if create else "UPDATE", p.get("ClientToken"), p.get("Description"))
    change.nested = bool(p.get("IncludeNestedStacks"))
    stack.changes.append(change)

    def work():
        time.sleep(SETTINGS.pace / 1000)
        change.work_out(cloud)

    engine.start(work)
    return {"Id": change.id, "StackId": stack.id}


def _change_set(cloud, p):
    name = p["ChangeSetName"]
    if name.startswith("arn:"):
        found = [c for s in cloud.stacks for c in s.changes if c.id == name]
    else:
        stack = cloud.find(p.get("StackName", ""), "Stack [{}] does not exist")
        found = [c for c in stack.changes if c.name == name]
    if not found:
        raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
    return found[-1]


def describe_change_set(cloud, p):
    change = _change_set(cloud, p)
    changes, following = _page(change.changes, p)
    if not p.get("IncludePropertyValues"):
        changes = [{"Type": c["Type"], "ResourceChange": _without_values(c["ResourceChange"])} for c in changes]
    return {**change.describe(), "Changes": changes, "NextToken": following}


def _without_values(change):
    hidden = {"BeforeValue", "AfterValue", "Path", "AttributeChangeType"}
    details = [{**d, "Target": {k: v for k, v in d["Target"].items() if k not in hidden}} for d in change["Details"]]
    return {**{k: v for k, v in change.items() if k not in ("BeforeContext", "AfterContext")}, "Details": details}


def execute_change_set(cloud, p):
    change = _change_set(cloud, p)
    stack, token = change.stack, p.get("ClientRequestToken")
    if change.executed and token == change.executed:
        return {}
    if change.execution != "AVAILABLE":
        raise Refused("InvalidChangeSetStatus", f"ChangeSet [{change.id}] cannot be executed in its current status of [{change.status}]"
                      if change.status != "CREATE_COMPLETE" else f"ChangeSet [{change.id}] cannot be executed in its current execution status of "
                      f"[{change.execution}]")
    if change.nested:
        raise Refused("ValidationError", "The cloud of the tests executes no nested change sets")
    if not change.plan.create:
        _updatable(stack)
    change.executed, change.execution = token or "none", "EXECUTE_IN_PROGRESS"
    if "DisableRollback" in p:
        change.plan.keep = p["DisableRollback"]
        change.plan.on_failure = "DO_NOTHING" if p["DisableRollback"] else change.plan.on_failure
    stack.change_set, stack.changes = change, [change]
    _run(cloud, stack, change.plan, token)
    return {}


def _run(cloud, stack, plan, token):
    stack.token, stack.capabilities, stack.keep_failed = token, plan.capabilities, plan.keep
    stack.event("CREATE_IN_PROGRESS" if plan.create else "UPDATE_IN_PROGRESS", "User Initiated")
    engine.start(engine.deploy, stack, cloud, plan)


def list_change_sets(cloud, p):
    stack = cloud.find(p["StackName"], "Stack [{}] does not exist")
    keys = ("StackId", "StackName", "ChangeSetId", "ChangeSetName", "ExecutionStatus", "Status", "StatusReason", "CreationTime", "Description")
    found, following = _page([{k: c.describe()[k] for k in keys} for c in stack.changes], p)
    return {"Summaries": found, "NextToken": following}


def delete_change_set(cloud, p):
    try:
        change = _change_set(cloud, p)
    except Refused as e:
        if e.code == "ChangeSetNotFound":
            return {}
        raise
    if change.execution == "EXECUTE_IN_PROGRESS":
        raise Refused("InvalidChangeSetStatus", f"ChangeSet [{change.id}] cannot be deleted in its current execution status of "
                      "[EXECUTE_IN_PROGRESS]")
    change.remove()
    return {}


# --- stacks -----------------------------------------------------------------------------------------------------------


def create_stack(cloud, p):
    stack, token = cloud.named(p["StackName"]), p.get("ClientRequestToken")
    if stack:
        if token and stack.token == token:
            return {"StackId": stack.id}
        raise Refused("AlreadyExistsException", f"Stack [{p['StackName']}] already exists")
    plan = plan_of(cloud, p, True)
    stack = Stack(cloud.region, p["StackName"], plan.values, plan.tags)
    stack.protected = bool(p.get("EnableTerminationProtection"))
    cloud.stacks.append(stack)
    _run(cloud, stack, plan, token)
    return {"StackId": stack.id}


def update_stack(cloud, p):
    stack, token = cloud.find(p["StackName"], "Stack [{}] does not exist"), p.get("ClientRequestToken")
    if token and token == stack.token:
        return {"StackId": stack.id}
    _updatable(stack)
    plan = plan_of(cloud, p, False, stack)
    change = ChangeSet(stack, "update", plan, "UPDATE", token, None)
    change.work_out(cloud)
    if change.status == "FAILED":
        raise Refused("ValidationError", "No updates are to be performed." if "didn't contain changes" in change.reason else change.reason)
    _run(cloud, stack, plan, token)
    return {"StackId": stack.id}


def delete_stack(cloud, p):
    stack = next((s for s in cloud.stacks if s.id == p["StackName"]), None) or cloud.named(p["StackName"])
    if not stack or stack.gone or stack.status == "DELETE_IN_PROGRESS":
        return {}
    if stack.protected:
        raise Refused("ValidationError", f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if p.get("RetainResources") and stack.status != "DELETE_FAILED":
        raise Refused("ValidationError", "Invalid operation on stack [" + stack.id + "]. Specify RetainResources only when the stack is in the "
                      "DELETE_FAILED state")
    stack.token = p.get("ClientRequestToken")
    if stack.status == "REVIEW_IN_PROGRESS":
        stack.deleted = now()
        stack.event("DELETE_COMPLETE")
        return {}
    stack.event("DELETE_IN_PROGRESS", "User Initiated")
    engine.start(engine.delete, stack, p.get("RetainResources", ()))
    return {}


def cancel_update_stack(cloud, p):
    stack = cloud.find(p["StackName"], "Stack [{}] does not exist")
    if stack.status != "UPDATE_IN_PROGRESS":
        raise Refused("ValidationError", "CancelUpdateStack cannot be called from current stack status")
    stack.stop = True
    return {}


def rollback_stack(cloud, p):
    stack = cloud.find(p["StackName"], "Stack [{}] does not exist")
    if stack.status != "CREATE_FAILED":
        raise Refused("ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
    stack.token = p.get("ClientRequestToken")
    stack.event("ROLLBACK_IN_PROGRESS", "User Initiated")

    def work():
        made = list(stack.resources.values())
        stack.event("ROLLBACK_FAILED" if engine.delete_resources(stack, made) else "ROLLBACK_COMPLETE")

    engine.start(work)
    return {"StackId": stack.id}


def update_termination_protection(cloud, p):
    stack = cloud.find(p["StackName"], "Stack [{}] does not exist")
    stack.protected = bool(p["EnableTerminationProtection"])
    return {"StackId": stack.id}


def describe_stacks(cloud, p):
    if p.get("StackName"):
        return {"Stacks": [cloud.find(p["StackName"]).describe()]}
    found, following = _page([s.describe() for s in cloud.stacks if not s.gone], p)
    return {"Stacks": found, "NextToken": following}


def list_stacks(cloud, p):
    wanted = p.get("StackStatusFilter")
    found = [{**{k: s.describe()[k] for k in ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus",
                                              "StackStatusReason", "DriftInformation")}, "TemplateDescription": s.template.get("Description")}
             for s in reversed(cloud.stacks) if not wanted or s.status in wanted]
    found, following = _page(found, p)
    return {"StackSummaries": found, "NextToken": following}


def describe_stack_events(cloud, p):
    stack = cloud.find(p.get("StackName", ""), "Stack [{}] does not exist")
    # A page is cut where the last one ended, whatever has happened since.
    end = int(p["NextToken"]) if p.get("NextToken") else len(stack.events)
    start = max(0, end - SETTINGS.page)
    return {"StackEvents": stack.events[start:end][::-1], "NextToken": str(start) if start else None}


def _resource(stack, resource, detail=False):
    drifted = {"StackResourceDriftStatus": (resource.drift or {}).get("StackResourceDriftStatus", "NOT_CHECKED")}
    entry = {"LogicalResourceId": resource.logical, "PhysicalResourceId": resource.physical or None, "ResourceType": resource.type,
             "ResourceStatus": resource.status, "ResourceStatusReason": resource.reason, "DriftInformation": drifted}
    entry["LastUpdatedTimestamp"] = resource.time
    if detail:
        entry.update(StackName=stack.name, StackId=stack.id, Timestamp=resource.time)
    return entry


def list_stack_resources(cloud, p):
    stack = cloud.find(p["StackName"])
    found, following = _page([_resource(stack, r) for r in list(stack.resources.values())], p)
    return {"StackResourceSummaries": found, "NextToken": following}


def describe_stack_resources(cloud, p):
    if p.get("StackName"):
        stack = cloud.find(p["StackName"])
    else:
        stack = next((s for s in cloud.stacks if not s.gone and any(r.physical == p.get("PhysicalResourceId") for r in s.resources.values())), None)
        if not stack:
            raise Refused("ValidationError", f"Stack for {p.get('PhysicalResourceId')} does not exist")
    wanted = p.get("LogicalResourceId")
    return {"StackResources": [_resource(stack, r, True) for r in list(stack.resources.values()) if not wanted or r.logical == wanted]}


def describe_stack_resource(cloud, p):
    stack = cloud.find(p["StackName"], "Stack '{}' does not exist")
    if p["LogicalResourceId"] not in stack.resources:
        raise Refused("ValidationError", f"Resource {p['LogicalResourceId']} does not exist for stack {stack.name}")
    return {"StackResourceDetail": _resource(stack, stack.resources[p["LogicalResourceId"]], True)}


def list_exports(cloud, p):
    found = [{"ExportingStackId": s.id, "Name": o["ExportName"], "Value": o["OutputValue"]} for s in cloud.stacks if not s.gone
             for o in s.outputs if o.get("ExportName")]
    found, following = _page(found, p)
    return {"Exports": found, "NextToken": following}


def _imports(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Fn::ImportValue":
                yield inner
            yield from _imports(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _imports(inner)


def list_imports(cloud, p):
    found = []
    for stack in cloud.stacks:
        if not stack.gone and stack.template.get("Resources"):
            scope = stack.scope(stack.template, stack.parameters, stack.resources, cloud)
            if any(str(scope.value(name)) == p["ExportName"] for name in _imports(stack.template)):
                found.append(stack.name)
    if not found:
        raise Refused("ValidationError", f"Export '{p['ExportName']}' is not imported by any stack.")
    found, following = _page(found, p)
    return {"Imports": found, "NextToken": following}


# --- templates --------------------------------------------------------------------------------------------------------


def get_template(cloud, p):
    if p.get("ChangeSetName"):
        return {"TemplateBody": _change_set(cloud, p).plan.text, "StagesAvailable": ["Original", "Processed"]}
    stack = cloud.find(p["StackName"])
    return {"TemplateBody": stack.text, "StagesAvailable": ["Original", "Processed"]}


def _declared(template):
    return [{"ParameterKey": n, "DefaultValue": None if "Default" not in how else str(how["Default"]), "ParameterType": how["Type"],
             "NoEcho": bool(how.get("NoEcho")), "Description": how.get("Description"),
             "ParameterConstraints": {"AllowedValues": list(map(str, how["AllowedValues"]))} if "AllowedValues" in how else {}}
            for n, how in template.get("Parameters", {}).items()]


def _summary(template):
    answer = {"Parameters": _declared(template), "Description": template.get("Description")}
    try:
        capabilities(template, ())
    except Refused as e:
        answer["Capabilities"] = [e.message.split("[")[1].rstrip("]")]
        answer["CapabilitiesReason"] = "The following resource(s) require capabilities: [" + ", ".join(sorted(
            {r["Type"] for r in template["Resources"].values() if r["Type"].startswith("AWS::IAM::")})) + "]"
    return answer


def get_template_summary(cloud, p):
    text = cloud.find(p["StackName"]).text if p.get("StackName") else template_text(cloud, p)
    template = read(text)
    check(template, KINDS)
    return {**_summary(template), "ResourceTypes": sorted({r["Type"] for r in template["Resources"].values()}),
            "Version": template.get("AWSTemplateFormatVersion"), "Metadata": json.dumps(template["Metadata"]) if "Metadata" in template else None}


def validate_template(cloud, p):
    template = read(template_text(cloud, p))
    check(template, KINDS)
    return _summary(template)


OPERATIONS = {"".join(word.capitalize() for word in f.__name__.split("_")): f for f in (
    create_change_set, describe_change_set, execute_change_set, list_change_sets, delete_change_set, create_stack, update_stack, delete_stack,
    cancel_update_stack, rollback_stack, update_termination_protection, describe_stacks, list_stacks, describe_stack_events,
    list_stack_resources, describe_stack_resources, describe_stack_resource, list_exports, list_imports, get_template, get_template_summary,
    validate_template, drift.detect_stack_drift, drift.describe_stack_drift_detection_status, drift.describe_stack_resource_drifts)}
