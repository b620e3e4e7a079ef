"""engine.py - the work on a stack: resources made, changed and unmade in order, with an event for every step, and rolled back

What can be made at once is begun at once (all its CREATE_IN_PROGRESS come first) and done one after the other, each after the
pace that /_control sets.
"""
import threading
import time
import uuid

from botocore.exceptions import ClientError

from kinds import Failure, absent, reason_of
from shapes import now
from stacks import SETTINGS, Resource
from template import Invalid


class Failed(Exception):
    """The resources that failed."""


def start(work, *arguments):
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _pace():
    time.sleep(SETTINGS.pace / 1000)


def _planned_failure(stack, resource, action):
    for rule in SETTINGS.failures:
        if rule["resource"] == resource.logical and rule.get("on", "create") == action and rule.get("stack", stack.name) == stack.name \
                and rule.get("count", 1 << 60) > rule["met"]:
            rule["met"] += 1
            raise Failure(rule.get("reason", "Resource handler returned message: \"Internal Failure\""))


def _try(stack, resource, action, what):
    """Runs `what`; its reason if it fails, else None."""
    token = str(uuid.uuid4())
    try:
        _planned_failure(stack, resource, action)
        what()
    except ClientError as e:
        service = resource.type.split("::")[1].lower()
        e.service = service
        return reason_of(e, token)
    except (Failure, Invalid) as e:
        return str(e).replace("{}", resource.logical)
    except Exception as e:  # noqa: BLE001 (whatever moto raises is the resource's failure, not the thread's end)
        return f"Resource handler returned message: \"{type(e).__name__}: {e}\""
    return None


# --- making and changing ----------------------------------------------------------------------------------------------


def _create(stack, resource, scope):
    properties = scope.properties(resource.logical)
    resource.kind.check(properties)
    resource.properties = properties
    context, told = stack.context(resource.logical), []

    def began(physical):
        resource.physical = physical
        told.append(stack.resource_event(resource, "CREATE_IN_PROGRESS", "Resource creation Initiated"))

    context.began = began
    resource.physical, resource.attributes = resource.kind.create(context, properties)
    if not told:
        began(resource.physical)


def waves(scope, wanted):
    """The logical ids in groups, each of which needs only those before."""
    left = {name: scope.needs(name) for name in wanted}
    while left:
        ready = [name for name, needs in left.items() if not needs & set(left)]
        yield ready
        for name in ready:
            del left[name]


def _policy(template, logical):
    return template["Resources"][logical].get("DeletionPolicy", "Delete") in ("Retain", "RetainExceptOnCreate")


def deploy(stack, cloud, plan):
    """Creation or update by a plan of changes.py; ends in the stack's last state."""
    verb = "CREATE" if plan.create else "UPDATE"
    undo, garbage = [], []
    scope = stack.scope(plan.template, plan.values, stack.resources, cloud)
    before = {name: (r.physical, r.properties, r.attributes) for name, r in stack.resources.items()}
    was = (stack.text, stack.template, stack.parameters, stack.tags)
    stack.text, stack.template, stack.parameters, stack.tags = plan.text, plan.template, plan.values, plan.tags
    try:
        wanted = [name for name in plan.template["Resources"] if scope.wanted(name)]
        for group in waves(scope, wanted):
            _group(stack, scope, group, undo, garbage, was[3])
            if stack.stop:
                raise Failed([])
        stack.outputs = outputs(plan.template, scope)
    except (Failed, Invalid) as e:
        names = e.args[0] if isinstance(e, Failed) else []
        words = f"The following resource(s) failed to {verb.lower()}: [{', '.join(names)}]. " if names else f"{'' if stack.stop else e} "
        stack.stop = False
        if plan.create:
            _create_failed(stack, plan, words)
        elif plan.keep:
            stack.event("UPDATE_FAILED", words.strip())
        else:
            _update_failed(stack, cloud, words or "User Initiated", undo, before, was)
        return
    removed = [r for name, r in stack.resources.items() if name not in wanted]
    stack.updated = None if plan.create else now()
    if not plan.create:
        stack.event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        delete_resources(stack, removed)
        for old in reversed(garbage):
            _delete_one(stack, old)
        for resource in removed:
            stack.resources.pop(resource.logical, None)
    stack.event(f"{verb}_COMPLETE")


def _group(stack, scope, group, undo, garbage, old_tags):
    begun, failed = [], []
    for name in group:
        resource = stack.resources.get(name)
        template = scope.template["Resources"][name]
        if resource and resource.physical and resource.type == template["Type"]:
            new = scope.properties(name)
            retag = resource.kind.tagged and old_tags != stack.tags
            resource.needs, resource.retain = scope.needs(name), _policy(scope.template, name)
            if new != resource.properties or retag or resource.kind.automatic:
                stack.resource_event(resource, "UPDATE_IN_PROGRESS")
                begun.append((resource, new))
            continue
        resource = stack.resources[name] = Resource(name, template["Type"])
        resource.needs, resource.retain = scope.needs(name), _policy(scope.template, name)
        undo.append((resource, None))
        stack.resource_event(resource, "CREATE_IN_PROGRESS")
        begun.append((resource, None))
    for resource, new in begun:
        verb = "CREATE" if new is None else "UPDATE"
        if failed or stack.stop:
            stack.resource_event(resource, f"{verb}_FAILED", f"Resource {'creation' if new is None else 'update'} cancelled")
            continue
        _pace()
        if new is None:
            why = _try(stack, resource, "create", lambda r=resource: _create(stack, r, scope))
        else:
            why = _change(stack, resource, new, undo, garbage)
        if why:
            failed.append(resource.logical)
        stack.resource_event(resource, f"{verb}_FAILED" if why else f"{verb}_COMPLETE", why)
    if failed:
        raise Failed(failed)


def _change(stack, resource, new, undo, garbage):
    undo.append((resource, (resource.physical, resource.properties, resource.attributes)))
    context = stack.context(resource.logical)

    def replace():
        resource.kind.check(new)
        old = Resource(resource.logical, resource.type)
        old.physical, old.properties, old.retain = resource.physical, resource.properties, False
        resource.physical, resource.attributes = resource.kind.create(context, new)
        resource.properties = new
        garbage.append(old)

    def change():
        resource.kind.check(new)
        resource.kind.update(context, resource.physical, resource.properties, new)
        resource.properties = new

    if replaced(resource, resource.properties, new) == "True":
        stack.resource_event(resource, "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource; hence "
                             "creating one.")
        return _try(stack, resource, "update", replace)
    return _try(stack, resource, "update", change)


def replaced(resource, old, new):
    """Whether the change of these properties needs another resource: True, False or Conditional."""
    how = {resource.kind.properties.get(name) for name in {*old, *new} if old.get(name) != new.get(name)}
    return "True" if "Always" in how else "Conditional" if "Conditionally" in how else "False"


def outputs(template, scope):
    found = []
    for name, output in template.get("Outputs", {}).items():
        if "Condition" in output and not scope.condition(output["Condition"]):
            continue
        entry = {"OutputKey": name, "OutputValue": str(scope.value(output["Value"])), "Description": output.get("Description")}
        if "Export" in output:
            entry["ExportName"] = scope.value(output["Export"]["Name"])
            if entry["ExportName"] in scope.exports:
                raise Invalid(f"Export with name {entry['ExportName']} is already exported by stack")
        found.append(entry)
    return found


# --- going back -------------------------------------------------------------------------------------------------------


def _create_failed(stack, plan, words):
    if plan.on_failure == "DO_NOTHING":
        return stack.event("CREATE_FAILED", words.strip())
    doing, done = ("DELETE", "DELETE_COMPLETE") if plan.on_failure == "DELETE" else ("ROLLBACK", "ROLLBACK_COMPLETE")
    stack.event(f"{doing}_IN_PROGRESS", f"{words}Rollback requested by user.")
    made = [r for r in stack.resources.values() if r.physical]
    for resource in made:
        resource.retain = False
    if delete_resources(stack, made):
        return stack.event(f"{doing}_FAILED", "The following resource(s) failed to delete: "
                           f"[{', '.join(r.logical for r in made if r.status == 'DELETE_FAILED')}]. ")
    stack.deleted = now()
    stack.event(done)


def _update_failed(stack, cloud, words, undo, before, was):
    stack.event("UPDATE_ROLLBACK_IN_PROGRESS", words.strip() or "User Initiated")
    stack.text, stack.template, stack.parameters, stack.tags = was
    fresh, lost = [], []
    for resource, old in reversed(undo):
        if old is None:
            fresh.append(resource)
            continue
        physical, properties, attributes = old
        if resource.physical != physical:
            spare = Resource(resource.logical, resource.type)
            spare.physical, spare.properties = resource.physical, resource.properties
            fresh.append(spare)
            resource.physical, resource.properties, resource.attributes = physical, properties, attributes
            continue
        stack.resource_event(resource, "UPDATE_IN_PROGRESS")
        _pace()
        new = resource.properties
        why = _try(stack, resource, "rollback", lambda r=resource, p=properties, n=new: r.kind.update(stack.context(r.logical), r.physical, n, p))
        resource.properties = resource.properties if why else properties
        stack.resource_event(resource, "UPDATE_FAILED" if why else "UPDATE_COMPLETE", why)
        if why:
            lost.append(resource.logical)
    if lost:
        return stack.event("UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{', '.join(lost)}]. ")
    stack.event("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    for resource in fresh:
        if resource.physical:
            _delete_one(stack, resource)
        if resource.logical not in before:
            stack.resources.pop(resource.logical, None)
    stack.event("UPDATE_ROLLBACK_COMPLETE")
    return None


# --- deletion ---------------------------------------------------------------------------------------------------------


def _delete_one(stack, resource, announced=False):
    if resource.retain:
        return stack.resource_event(resource, "DELETE_SKIPPED")
    if not announced:
        stack.resource_event(resource, "DELETE_IN_PROGRESS")
    _pace()

    def delete():
        try:
            resource.kind.delete(stack.context(resource.logical), resource.physical, resource.properties)
        except ClientError as e:
            if not absent(e):
                raise

    why = _try(stack, resource, "delete", delete)
    return stack.resource_event(resource, "DELETE_FAILED" if why else "DELETE_COMPLETE", why)


def delete_resources(stack, resources):
    """In reverse order of need; True if one failed. What needs one that failed stays, untouched."""
    left = {r.logical: r for r in resources if r.physical and r.status != "DELETE_COMPLETE"}
    failed = set()
    while left:
        ready = [r for r in left.values() if not any(r.logical in other.needs for other in left.values())]
        ready = [r for r in ready if r.logical not in failed]
        if not ready:
            break
        for resource in ready:
            if not resource.retain:
                stack.resource_event(resource, "DELETE_IN_PROGRESS")
        for resource in ready:
            _delete_one(stack, resource, True)
            if resource.status == "DELETE_FAILED":
                failed.add(resource.logical)
            else:
                del left[resource.logical]
    return bool(failed)


def delete(stack, retained=()):
    resources = list(stack.resources.values())
    for resource in resources:
        resource.retain = resource.retain or resource.logical in retained
    if delete_resources(stack, resources):
        lost = [r.logical for r in resources if r.status == "DELETE_FAILED"]
        return stack.event("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(lost)}]. ")
    stack.deleted = now()
    stack.event("DELETE_COMPLETE")
    return None
