"""template.py - a CloudFormation template: read, checked, and its functions computed

Follows the user guide's "Template anatomy" and "Intrinsic function reference"; the words of refusals are the service's.
"""
import base64
import ipaddress
import json
import re

import yaml

LARGEST_BODY, LARGEST = 51200, 1 << 20
LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"
NOTHING = object()  # AWS::NoValue
SECTIONS = {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Rules", "Transform",
            "Resources", "Outputs"}
ATTRIBUTES = {"Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "CreationPolicy",
              "UpdatePolicy"}
FUNCTIONS = {"Fn::GetAtt", "Fn::If", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub", "Fn::Cidr", "Fn::GetAZs", "Fn::Base64",
             "Fn::ImportValue", "Fn::FindInMap", "Fn::ToJsonString", "Fn::Length"}
PSEUDO = {"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId",
          "AWS::StackName", "AWS::URLSuffix"}


class Invalid(Exception):
    """A ValidationError with these words."""


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    pass


# A date stays the text that it is.
Loader.yaml_implicit_resolvers = {first: [(tag, how) for tag, how in resolvers if tag != "tag:yaml.org,2002:timestamp"]
                                  for first, resolvers in Loader.yaml_implicit_resolvers.items()}


def _short_form(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}


Loader.add_multi_constructor("!", _short_form)


def read(text):
    """The template as a dict; Invalid names the line."""
    if text.lstrip()[:1] == "{":
        try:
            template = json.loads(text)
        except ValueError as e:
            raise Invalid(f"Template format error: JSON not well-formed. (line {e.lineno}, column {e.colno})") from None
    else:
        try:
            template = yaml.load(text, Loader)
        except yaml.MarkedYAMLError as e:
            mark = e.problem_mark
            raise Invalid(f"Template format error: YAML not well-formed. (line {mark.line + 1}, column {mark.column + 1})") from None
        except yaml.YAMLError:
            raise Invalid("Template format error: YAML not well-formed.") from None
    if not isinstance(template, dict):
        raise Invalid("Template format error: unsupported structure.")
    return template


def function(node):
    """(name, argument) if the node is a call of a function."""
    if isinstance(node, dict) and len(node) == 1:
        name, argument = next(iter(node.items()))
        if name in ("Ref", "Condition") or isinstance(name, str) and name.startswith("Fn::"):
            return name, argument
    return None, None


def sub_parts(argument):
    """The text of Fn::Sub, its own variables, and the names in it."""
    text, own = (argument[0], argument[1]) if isinstance(argument, list) else (argument, {})
    return text, own, [n for n in re.findall(r"\$\{([^!}][^}]*)\}", text) if n not in own]


def references(node, scope=None):
    """Every (name, attribute or None) that the node refers to; with a scope only in the chosen branches of Fn::If."""
    name, argument = function(node)
    if name == "Ref":
        yield argument, None
    elif name == "Fn::GetAtt":
        yield argument[0], argument[1]
    elif name == "Fn::Sub":
        _, own, names = sub_parts(argument)
        for n in names:
            yield (n.split(".", 1)[0], n.split(".", 1)[1]) if "." in n else (n, None)
        yield from references(own, scope)
    elif name == "Fn::If" and scope:
        yield from references(argument[1] if scope.condition(argument[0]) else argument[2], scope)
    elif name != "Condition":
        for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from references(inner, scope)


def conditions_of(node):
    name, argument = function(node)
    if name == "Condition":
        yield argument
    elif name == "Fn::If":
        yield argument[0]
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from conditions_of(inner)


def functions_of(node):
    if isinstance(node, dict):
        yield from (key for key in node if isinstance(key, str) and key.startswith("Fn::"))
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from functions_of(inner)


def check(template, kinds):
    """What CloudFormation refuses before it makes anything."""
    unknown = [k for k in template if k not in SECTIONS]
    if unknown:
        raise Invalid(f"Invalid template property or properties [{', '.join(map(str, unknown))}]")
    if template.get("AWSTemplateFormatVersion", "2010-09-09") != "2010-09-09":
        raise Invalid("Template format error: Unsupported AWSTemplateFormatVersion")
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise Invalid("Template format error: At least one Resources member must be defined.")
    types = set()
    for logical, resource in resources.items():
        if not re.fullmatch("[A-Za-z0-9]+", str(logical)):
            raise Invalid(f"Template format error: Resource name {logical} is non alphanumeric.")
        if not isinstance(resource, dict) or "Type" not in resource:
            raise Invalid(f"Template format error: [/Resources/{logical}] Every Resources object must contain a Type member.")
        for key in resource:
            if key not in ATTRIBUTES:
                raise Invalid(f"Invalid template resource property '{key}'")
        if resource["Type"] not in kinds:
            types.add(resource["Type"])
    if types:
        raise Invalid(f"Template format error: Unrecognized resource types: [{', '.join(sorted(types))}]")
    _check_names(template, resources, kinds)
    _check_circles(resources)


def _check_names(template, resources, kinds):
    parameters, conditions = template.get("Parameters", {}), template.get("Conditions", {})
    for block in ("Conditions", "Resources", "Outputs"):
        part = template.get(block, {})
        if any(value is None for value in part.values()):
            raise Invalid(f"[/{block}] 'null' values are not allowed in templates")
        missing = [name for name, _ in references(part) if name not in parameters and name not in PSEUDO and name not in resources]
        for resource in part.values() if block == "Resources" else ():
            depends = resource.get("DependsOn", [])
            missing += [d for d in ([depends] if isinstance(depends, str) else depends) if d not in resources]
        if missing:
            raise Invalid(f"Template format error: Unresolved resource dependencies [{', '.join(dict.fromkeys(missing))}] in the "
                          f"{block} block of the template")
        for name in conditions_of({k: v for k, v in part.items()}):
            if isinstance(name, str) and name not in conditions:
                raise Invalid(f"Template format error: Unresolved condition dependency {name} in the {block} block of the template")
        for entry in part.values() if block != "Conditions" else ():
            if "Condition" in entry and entry["Condition"] not in conditions:
                raise Invalid(f"Template format error: Unresolved condition dependency {entry['Condition']} in the {block} block of "
                              "the template")
        for name, attribute in references(part):
            if attribute and name in resources and attribute not in kinds[resources[name]["Type"]].attributes:
                raise Invalid(f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt")
        for name in functions_of(part) if block != "Conditions" else ():
            if name not in FUNCTIONS:
                raise Invalid(f"Template error: {name} is not a valid function")


def _check_circles(resources):
    left = {name: {r for r, _ in references(resource) if r in resources} | set(_depends(resource))
            for name, resource in resources.items()}
    while left:
        free = [name for name, needs in left.items() if not needs & set(left)]
        if not free:
            raise Invalid(f"Circular dependency between resources: [{', '.join(sorted(left))}]")
        for name in free:
            del left[name]


def _depends(resource):
    depends = resource.get("DependsOn", [])
    return [depends] if isinstance(depends, str) else depends


# --- parameters -------------------------------------------------------------------------------------------------------


def parameters(template, given, before):
    """Values as text, from what was given ({name: value, or None for the previous one}), before and the defaults."""
    declared, values = template.get("Parameters", {}), {}
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise Invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = []
    for name, how in declared.items():
        if given.get(name) is not None:
            values[name] = given[name]
        elif name in given:
            if name not in before:
                raise Invalid(f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not "
                              "in the previous template")
            values[name] = before[name]
        elif "Default" in how:
            values[name] = _text(how["Default"])
        else:
            missing.append(name)
    if missing:
        raise Invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, value in values.items():
        _check_parameter(name, declared[name], value)
    return values


def _check_parameter(name, how, value):
    if how["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            raise Invalid(f"Parameter '{name}' must be a number.") from None
        for bound, wrong, words in (("MinValue", number.__lt__, "less"), ("MaxValue", number.__gt__, "greater")):
            if bound in how and wrong(float(how[bound])):
                raise Invalid(f"Parameter '{name}' must be a number not {words} than {how[bound]}")
    for each in value.split(",") if "List" in how["Type"] else [value]:
        if "AllowedValues" in how and each.strip() not in map(_text, how["AllowedValues"]):
            raise Invalid(f"Parameter '{name}' must be one of AllowedValues")
        if "AllowedPattern" in how and not re.fullmatch(how["AllowedPattern"], each):
            raise Invalid(f"Parameter '{name}' failed to satisfy constraint: {how['ConstraintDescription']}" if "ConstraintDescription"
                          in how else f"Parameter '{name}' must match pattern {how['AllowedPattern']}")
    if "MinLength" in how and len(value) < int(how["MinLength"]):
        raise Invalid(f"Parameter '{name}' must contain at least {how['MinLength']} characters")
    if "MaxLength" in how and len(value) > int(how["MaxLength"]):
        raise Invalid(f"Parameter '{name}' must contain at most {how['MaxLength']} characters")


def _text(value):
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


# --- values -----------------------------------------------------------------------------------------------------------


class Scope:
    """What the names of a template mean. `resources`: {logical: object with physical and attributes, or None: not yet known}."""

    def __init__(self, template, values, pseudo, resources, zones=(), exports=None):
        self.template, self.values, self.pseudo, self.resources = template, values, pseudo, resources
        self.zones, self.exports, self.known = zones, exports or {}, {}

    def condition(self, name):
        if name not in self.known:
            self.known[name] = self._test(self.template["Conditions"][name])
        return self.known[name]

    def _test(self, node):
        name, argument = function(node)
        if name == "Condition":
            return self.condition(argument)
        if name == "Fn::Equals":
            a, b = (self.value(x) for x in argument)
            return _text(a) == _text(b)
        if name == "Fn::Not":
            return not self._test(argument[0])
        if name in ("Fn::And", "Fn::Or"):
            return (all if name == "Fn::And" else any)(self._test(x) for x in argument)
        raise Invalid("Template format error: Conditions can only be boolean operations on parameters and other conditions")

    def wanted(self, logical):
        """The resource or output is to be there."""
        part = self.template["Resources"].get(logical)
        return part is not None and ("Condition" not in part or self.condition(part["Condition"]))

    def needs(self, logical):
        """The resources that come first."""
        resource = self.template["Resources"][logical]
        names = [n for n, _ in references(resource.get("Properties", {}), self) if n in self.template["Resources"]]
        lost = [n for n in names if not self.wanted(n)]
        if lost:
            raise Invalid(f"Template format error: Unresolved resource dependencies [{', '.join(lost)}] in the Resources block of the template")
        return set(names) | {n for n in _depends(resource) if self.wanted(n)}

    def properties(self, logical):
        value = self.value(self.template["Resources"][logical].get("Properties", {}))
        return {} if value is NOTHING else value

    def value(self, node):
        name, argument = function(node)
        if name:
            return getattr(self, "_" + name.replace("Fn::", "").lower())(argument)
        if isinstance(node, dict):
            pairs = ((key, self.value(inner)) for key, inner in node.items())
            return {key: value for key, value in pairs if value is not NOTHING}
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not NOTHING]
        return node

    def _condition(self, argument):
        # The key of a policy's statement, which is no function there.
        return {"Condition": self.value(argument)}

    def _ref(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.values:
            kind = self.template["Parameters"][name]["Type"]
            return [x.strip() for x in self.values[name].split(",")] if "List" in kind else self.values[name]
        resource = self.resources.get(name)
        return resource.reference if resource else LATER

    def _getatt(self, argument):
        resource = self.resources.get(argument[0])
        return resource.attributes.get(argument[1], LATER) if resource else LATER

    def _if(self, argument):
        return self.value(argument[1] if self.condition(argument[0]) else argument[2])

    def _join(self, argument):
        values = self.value(argument[1])
        if LATER in values:
            return LATER
        return argument[0].join(map(_text, values))

    def _select(self, argument):
        index, values = int(self.value(argument[0])), self.value(argument[1])
        if values == LATER:
            return LATER
        if not 0 <= index < len(values):
            raise Invalid(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return values[index]

    def _split(self, argument):
        value = self.value(argument[1])
        return value if value == LATER else value.split(argument[0])

    def _sub(self, argument):
        text, own, names = sub_parts(argument)
        values = {n: self.value(v) for n, v in own.items()}
        for n in names:
            values[n] = self._getatt(n.split(".", 1)) if "." in n and n not in self.pseudo else self._ref(n)
        if LATER in values.values():
            return LATER
        text = re.sub(r"\$\{([^!}][^}]*)\}", lambda m: _text(values[m[1]]), text)
        return text.replace("${!", "${")

    def _cidr(self, argument):
        block, count, bits = (self.value(x) for x in (argument + [8])[:3])
        if block == LATER:
            return LATER
        network = ipaddress.ip_network(block)
        parts = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        found = [str(p) for p, _ in zip(parts, range(int(count)))]
        if len(found) < int(count):
            raise Invalid(f"Template error: Fn::Cidr: cannot make {count} ranges of {bits} bits in {block}")
        return found

    def _getazs(self, _):
        return list(self.zones)

    def _base64(self, argument):
        return base64.b64encode(_text(self.value(argument)).encode()).decode()

    def _importvalue(self, argument):
        name = self.value(argument)
        if name not in self.exports:
            raise Invalid(f"No export named {name} found.")
        return self.exports[name]

    def _findinmap(self, argument):
        name, *keys = (self.value(x) for x in argument[:3])
        try:
            return self.template["Mappings"][name][_text(keys[0])][_text(keys[1])]
        except KeyError:
            raise Invalid(f"Template error: Unable to get mapping for {name}::{keys[0]}::{keys[1]}") from None

    def _tojsonstring(self, argument):
        return json.dumps(self.value(argument))

    def _length(self, argument):
        return len(self.value(argument))
