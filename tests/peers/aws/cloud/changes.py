"""changes.py - change sets: what a template and its parameters would change in a stack"""
import json
import uuid

from engine import outputs
from kinds import KINDS
from shapes import now
from stacks import ACCOUNT, shown
from template import LATER, Invalid, references

NESTED = "AWS::CloudFormation::Stack"
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


class Plan:
    """What is to become of a stack."""

    def __init__(self, create, text, template, values, tags, capabilities, on_failure="ROLLBACK", keep=False):
        self.create, self.text, self.template, self.values, self.tags, self.keep = create, text, template, values, tags, keep
        self.capabilities, self.on_failure = capabilities, on_failure


class ChangeSet:
    def __init__(self, stack, name, plan, kind, token, description):
        self.stack, self.name, self.plan, self.kind, self.token, self.description = stack, name, plan, kind, token, description
        self.id = f"arn:aws:cloudformation:{stack.region}:{ACCOUNT}:changeSet/{name}/{uuid.uuid4()}"
        self.status, self.execution, self.reason, self.created, self.changes = "CREATE_PENDING", "UNAVAILABLE", None, now(), []
        self.executed = None  # the token it was executed with
        self.nested, self.parent, self.inner = False, None, []

    @property
    def root(self):
        return self.parent.root if self.parent else self

    def ended(self, status):
        if self.execution == "EXECUTE_IN_PROGRESS" and not status.endswith("CLEANUP_IN_PROGRESS"):
            good = status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            self.execution = "EXECUTE_COMPLETE" if good else "EXECUTE_FAILED"

    def work_out(self, cloud):
        self.status = "CREATE_IN_PROGRESS"
        try:
            check_zones(self.plan, cloud)
            changes = compare(self.stack, self.plan, cloud)
            if self.nested:
                self._nest(changes, cloud)
        except Invalid as e:
            self.status, self.reason = "FAILED", str(e)
            return
        if not changes and not other_outputs(self.stack, self.plan):
            self.status, self.reason = "FAILED", NO_CHANGES
            return
        self.changes, self.status, self.execution = changes, "CREATE_COMPLETE", "AVAILABLE"

    def _nest(self, changes, cloud):
        """A change set for every stack in this one; one that finds nothing to change is no failure."""
        for change in (c["ResourceChange"] for c in changes):
            if change["ResourceType"] != NESTED or change["Action"] == "Remove":
                continue
            properties = json.loads(change["AfterContext"])["Properties"]
            inner = KINDS[NESTED].review(self, change["LogicalResourceId"], change.get("PhysicalResourceId"), properties)
            self.inner.append(inner)
            change["ChangeSetId"] = inner.id
            inner.work_out(cloud)
            if inner.status == "FAILED" and inner.reason != NO_CHANGES:
                raise Invalid(f"Nested change set {inner.id} was not successfully created: Currently in FAILED.")

    def remove(self):
        """With those in it; a stack that only they have made stays in review."""
        self.stack.changes.remove(self)
        for inner in self.inner:
            inner.remove()

    def describe(self):
        return {"ChangeSetName": self.name, "ChangeSetId": self.id, "StackId": self.stack.id, "StackName": self.stack.name,
                "Description": self.description, "Parameters": shown(self.plan.template, self.plan.values), "CreationTime": self.created,
                "ExecutionStatus": self.execution, "Status": self.status, "StatusReason": self.reason, "NotificationARNs": [],
                "RollbackConfiguration": {}, "Capabilities": self.plan.capabilities, "Tags": self.plan.tags, "IncludeNestedStacks": self.nested,
                "ParentChangeSetId": self.parent and self.parent.id, "RootChangeSetId": self.root.id if self.nested else None,
                "OnStackFailure": self.plan.on_failure if self.kind == "CREATE" else None}


def check_zones(plan, cloud):
    """Parameters of AWS's own types must be what is there."""
    for name, how in plan.template.get("Parameters", {}).items():
        if "AWS::EC2::AvailabilityZone::Name" in how["Type"] and name in plan.values:
            given = [z.strip() for z in plan.values[name].split(",")]
            unknown = [z for z in given if z not in cloud.zones()]
            if unknown:
                raise Invalid(f"Parameter validation failed: parameter value {', '.join(unknown)} for parameter name {name} does not exist")


def other_outputs(stack, plan):
    return stack.status != "REVIEW_IN_PROGRESS" and stack.template.get("Outputs") != plan.template.get("Outputs")


def compare(stack, plan, cloud):
    """Change structures as DescribeChangeSet lists them, with values."""
    known = dict(stack.resources)
    scope = stack.scope(plan.template, plan.values, known, cloud)
    order = [name for name in plan.template["Resources"] if scope.wanted(name)]
    found, left = {}, {name: scope.needs(name) for name in order}
    while left:
        for name in [n for n, needs in left.items() if not needs & set(left)]:
            del left[name]
            change = _one(stack, plan, scope, known, name)
            if change:
                found[name] = change
    changes = [found[name] for name in order if name in found]
    for name, resource in stack.resources.items():
        if name not in order and resource.physical:
            changes.append({"Action": "Remove", "LogicalResourceId": name, "PhysicalResourceId": resource.physical, "ResourceType": resource.type,
                            "PolicyAction": "Retain" if resource.retain else "Delete", "Scope": [], "Details": [],
                            "BeforeContext": context(resource.properties)})
    if not changes or other_outputs(stack, plan):
        # What the outputs name must be there, too.
        outputs(plan.template, stack.scope(plan.template, plan.values, known, cloud))
    return [{"Type": "Resource", "ResourceChange": c} for c in changes]


def context(properties):
    return json.dumps({"Properties": properties}, default=str)


def _one(stack, plan, scope, known, name):
    template = plan.template["Resources"][name]
    old = stack.resources.get(name)
    new = scope.properties(name)
    if not old or not old.physical or old.type != template["Type"]:
        known[name] = None
        return {"Action": "Add", "LogicalResourceId": name, "ResourceType": template["Type"], "Scope": [], "Details": [],
                "AfterContext": context(new)}
    retag = old.kind.tagged and stack.tags != plan.tags
    if new == old.properties and not retag:
        return _automatic(old, name) if old.type == NESTED else None
    details, scopes, replacement = [], [], "False"
    for key in sorted({*new, *old.properties}):
        before, after = old.properties.get(key), new.get(key)
        if before == after:
            continue
        needed = "Never" if key == "Tags" else old.kind.properties.get(key, "Never")
        dynamic = LATER in json.dumps(after, default=str)
        if needed == "Always" and not dynamic:
            replacement = "True"
        elif needed != "Never" and replacement == "False":
            replacement = "Conditional"
        if needed == "Always" and dynamic and replacement != "True":
            replacement = "True" if _replaced_source(known, template, key) else "Conditional"
        scopes.append("Tags" if key == "Tags" else "Properties")
        details.append(_detail(key, before, after, needed, dynamic, template, plan, stack))
    if retag and "Tags" not in scopes:
        scopes.append("Tags")
        details.append(_detail("Tags", stack.tags, plan.tags, "Never", False, template, plan, stack))
    if replacement == "True":
        known[name] = None
    return {"Action": "Modify", "LogicalResourceId": name, "PhysicalResourceId": old.physical, "ResourceType": old.type,
            "PolicyAction": "ReplaceAndDelete" if replacement == "True" else None, "Replacement": replacement,
            "Scope": list(dict.fromkeys(scopes)), "Details": details, "BeforeContext": context(old.properties), "AfterContext": context(new)}


def _automatic(old, name):
    """A stack in a stack always counts as changed: its template may be another one now."""
    detail = {"Target": {"Attribute": "Properties", "RequiresRecreation": "Never"}, "Evaluation": "Dynamic", "ChangeSource": "Automatic"}
    return {"Action": "Modify", "LogicalResourceId": name, "PhysicalResourceId": old.physical, "ResourceType": old.type, "Replacement": "False",
            "Scope": ["Properties"], "Details": [detail], "BeforeContext": context(old.properties), "AfterContext": context(old.properties)}


def _replaced_source(known, template, key):
    names = [n for n, _ in references(template.get("Properties", {}).get(key, {}))]
    return any(n in known and known[n] is None for n in names)


def _detail(key, before, after, needed, dynamic, template, plan, stack):
    def text(value):
        return value if isinstance(value, str) or value is None else json.dumps(value, default=str)

    target = {"Attribute": "Tags" if key == "Tags" else "Properties", "RequiresRecreation": needed,
              "Path": f"/{'Tags' if key == 'Tags' else 'Properties/' + key}", "BeforeValue": text(before), "AfterValue": text(after),
              "AttributeChangeType": "Add" if before is None else "Remove" if after is None else "Modify"}
    if key != "Tags":
        target["Name"] = key
    detail = {"Target": target, "Evaluation": "Dynamic" if dynamic else "Static", "ChangeSource": "DirectModification"}
    for name, attribute in references(template.get("Properties", {}).get(key, {})):
        if name in plan.values and plan.values[name] != stack.parameters.get(name):
            detail.update(ChangeSource="ParameterReference", CausingEntity=name)
        elif dynamic and name in plan.template["Resources"]:
            detail.update(ChangeSource="ResourceAttribute" if attribute else "ResourceReference",
                          CausingEntity=f"{name}.{attribute}" if attribute else name)
    return detail
