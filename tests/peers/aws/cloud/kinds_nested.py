"""kinds_nested.py - a stack as a resource of another"""
import uuid

import calls
import changes
import engine
from kinds import NEVER, Failure, Kind, kind
from stacks import Stack, cloud_of
from template import Invalid


class Outputs:
    """Every attribute that begins with Outputs."""

    def __contains__(self, name):
        return name.startswith("Outputs.")


@kind
class NestedStack(Kind):  # aws-resource-cloudformation-stack.html
    type, tagged = "AWS::CloudFormation::Stack", True
    automatic = True
    properties = dict.fromkeys(("NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"), NEVER)
    attributes, required = Outputs(), ("TemplateURL",)

    def plan(self, c, p, before=None):
        given = [{"ParameterKey": k, "ParameterValue": ",".join(v) if isinstance(v, list) else str(v)} for k, v in p.get("Parameters", {}).items()]
        tags = {t["Key"]: t for t in [*c.stack_tags, *p.get("Tags", ())]}
        # What the outer stack was allowed is allowed here.
        call = {"TemplateURL": p["TemplateURL"], "Parameters": given, "Tags": list(tags.values()), "Capabilities": ["CAPABILITY_NAMED_IAM"],
                "OnStackFailure": "DO_NOTHING"}
        try:
            return calls.plan_of(cloud_of(c.region), call, before is None, before)
        except calls.Refused as e:
            raise Failure(e.message) from None

    def outputs(self, stack):
        return {f"Outputs.{o['OutputKey']}": o["OutputValue"] for o in stack.outputs}

    def new(self, c, outer, plan):
        stack = Stack(c.region, f"{c.stack}-{c.logical}-{uuid.uuid4().hex[:12].upper()}", plan.values, plan.tags)
        stack.parent, stack.root, stack.token, stack.capabilities = outer.id, outer.root or outer.id, outer.token, plan.capabilities
        cloud_of(c.region).stacks.append(stack)
        return stack

    def review(self, outer, logical, physical, p):
        """The change set of this stack in `outer`, that of the stack around it; a new stack is in review."""
        c, cloud = outer.stack.context(logical, outer.plan.tags), cloud_of(outer.stack.region)
        stack = cloud.find(physical) if physical else None
        try:
            plan = self.plan(c, p, stack)
        except Failure as e:
            raise Invalid(str(e)) from None
        if not stack:
            stack = self.new(c, outer.stack, plan)
            stack.event("REVIEW_IN_PROGRESS", "User Initiated")
        inner = changes.ChangeSet(stack, f"{outer.name}-{logical}-{uuid.uuid4().hex[:12]}", plan, "UPDATE" if physical else "CREATE", None, None)
        inner.nested, inner.parent = True, outer
        stack.changes.append(inner)
        return inner

    def create(self, c, p):
        cloud, plan = cloud_of(c.region), self.plan(c, p)
        stack = self.new(c, cloud.find(c.stack_id), plan)
        # Its id is out before anything in it is made, so that its events can be followed.
        c.began(stack.id)
        stack.event("CREATE_IN_PROGRESS", "User Initiated")
        engine.deploy(stack, cloud, plan)
        if stack.status != "CREATE_COMPLETE":
            raise Failure(f"Embedded stack {stack.id} was not successfully created: {stack.reason}")
        return stack.id, self.outputs(stack)

    def update(self, c, physical, old, new):
        cloud = cloud_of(c.region)
        stack, outer = cloud.find(physical), cloud.find(c.stack_id)
        if outer.status == "UPDATE_ROLLBACK_IN_PROGRESS":
            if stack.status == "UPDATE_ROLLBACK_COMPLETE":
                return
            # The template may have changed where it is.
            plan = changes.Plan(False, *stack.before, stack.capabilities)
        else:
            plan = self.plan(c, new, stack)
        plan.keep = False
        stack.before = (stack.text, stack.template, stack.parameters, stack.tags)
        if not changes.compare(stack, plan, cloud) and not changes.other_outputs(stack, plan) and stack.tags == plan.tags:
            return
        stack.token = outer.token
        stack.event("UPDATE_IN_PROGRESS", "User Initiated")
        engine.deploy(stack, cloud, plan)
        if stack.status != "UPDATE_COMPLETE":
            raise Failure(f"Embedded stack {physical} was not successfully updated. Currently in {stack.status} with reason: {stack.reason}")

    def delete(self, c, physical, p):
        cloud = cloud_of(c.region)
        stack = cloud.find(physical)
        stack.token = cloud.find(c.stack_id).token
        stack.event("DELETE_IN_PROGRESS", "User Initiated")
        engine.delete(stack)
        if stack.status != "DELETE_COMPLETE":
            raise Failure(f"Embedded stack {physical} was not successfully deleted: {stack.reason}")
