#!/usr/bin/env python3
"""aws_models.py - makes lua/adt/aws/data from botocore: the operations of aws_operations.txt and what they need

usage: aws_models.py [--check]     --check: writes nothing, exits 1 where a file differs

It runs in a virtual environment that has the botocore named below (docs/internals/aws.md, "Models"):
    python3 -m venv venv && venv/bin/pip install botocore==1.43.11 && venv/bin/python tools/aws_models.py
"""
import difflib
import gzip
import json
import os
import re
import sys

BOTOCORE = "1.43.11"
NOTE = f"made by tools/aws_models.py from botocore {BOTOCORE} (Apache-2.0); not edited by hand"
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "lua", "adt", "aws", "data")

# What readers (core/aws/model.h) ask for; everything else is for people or for other programs.
METADATA = """apiVersion auth awsQueryCompatible endpointPrefix globalEndpoint jsonVersion protocol protocols
    serviceFullName serviceId signatureVersion signingName targetPrefix xmlNamespace""".split()
OPERATION = """http input output errors endpoint authtype auth unsignedPayload httpChecksum httpChecksumRequired
    requestcompression""".split()
SHAPE = """type required members member key value payload union document sparse sensitive streaming flattened
    locationName xmlNamespace timestampFormat eventstream event exception fault error retryable""".split()
MEMBER = """shape location locationName queryName flattened streaming sensitive xmlNamespace xmlAttribute timestampFormat
    idempotencyToken jsonvalue hostLabel eventpayload eventheader resultWrapper""".split()
REFERENCES = ("member", "key", "value")


def fail(message):
    sys.exit(f"aws_models.py: {message}")


def read_wanted():
    """{service: names} of aws_operations.txt"""
    wanted, service = {}, None
    with open(os.path.join(HERE, "aws_operations.txt"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.split("#")[0].strip()
            if line.startswith("["):
                service = line.strip("[]")
                if service in wanted:
                    fail(f"aws_operations.txt:{number}: [{service}] is there twice")
                wanted[service] = []
            elif line and service is None:
                fail(f"aws_operations.txt:{number}: no [service] above")
            elif line:
                wanted[service] += line.split()
    return wanted


def read_json(folder, name):
    """A file of botocore's data, plain or compressed, with the additions that lie beside it"""
    path = os.path.join(folder, name)
    if os.path.exists(path + ".json.gz"):
        with gzip.open(path + ".json.gz", "rb") as file:
            data = json.load(file)
    elif os.path.exists(path + ".json"):
        with open(path + ".json", "rb") as file:
            data = json.load(file)
    else:
        return {}
    extras = path + ".sdk-extras.json"
    if os.path.exists(extras):
        with open(extras, "rb") as file:
            merge(data, json.load(file).get("merge", {}))
    return data


def merge(into, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def only(traits, kept):
    return {name: traits[name] for name in kept if name in traits}


def compact_shape(shape):
    kept = only(shape, SHAPE)
    if "members" in kept:
        kept["members"] = {name: only(member, MEMBER) for name, member in shape["members"].items()}
    for name in REFERENCES:
        if name in kept:
            kept[name] = only(shape[name], MEMBER)
    if kept.get("sensitive") is False:
        del kept["sensitive"]
    return kept


def compact_operation(name, operation):
    kept = {"name": name}
    kept.update(only(operation, OPERATION))
    for side in ("input", "output"):
        if side in kept:
            kept[side] = only(operation[side], MEMBER)
    if "errors" in kept:
        kept["errors"] = [only(error, MEMBER) for error in operation["errors"]]
    return kept


def reachable(operations, shapes):
    found, queue = set(), []
    for operation in operations.values():
        queue += [operation[side]["shape"] for side in ("input", "output") if side in operation]
        queue += [error["shape"] for error in operation.get("errors", [])]
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            shape = shapes[name]
            queue += [member["shape"] for member in shape.get("members", {}).values()]
            queue += [shape[side]["shape"] for side in REFERENCES if side in shape]
    return {name: compact_shape(shapes[name]) for name in sorted(found)}


def check_names(service, names, known):
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            fail(f"aws_operations.txt: [{service}] has no {name}" + (f"; did you mean {near[0]}?" if near else ""))
    if len(names) != len(set(names)):
        fail(f"aws_operations.txt: [{service}] names an operation twice")


def check_states(service, name, rule, shapes):
    """A state or code that the service does not know would be waited for in vain"""
    known = set()
    for shape_name, shape in shapes.items():
        known |= set(shape.get("enum", []))
        if shape.get("exception"):
            known.add(shape.get("error", {}).get("code", shape_name))
    for acceptor in rule["acceptors"]:
        if isinstance(acceptor["expected"], str) and acceptor["expected"] not in known:
            fail(f"aws_waiters.json: {service} {name}: the model knows no {acceptor['expected']}")


def check_paths(service, name, rule, model):
    """Each name of an acceptor's path must be a member of what the operation answers"""
    for acceptor in rule["acceptors"]:
        shape = model["shapes"][model["operations"][rule["operation"]]["output"]["shape"]]
        for part in re.findall(r"[A-Za-z]+", re.sub(r"^length\(|\?.*|== .*", "", acceptor.get("argument", ""))):
            if part not in shape.get("members", {}):
                fail(f"aws_waiters.json: {service} {name}: {acceptor['argument']}: the model has no {part} there")
            shape = model["shapes"][shape["members"][part]["shape"]]
            if shape["type"] == "list":
                shape = model["shapes"][shape["member"]["shape"]]


def compact(folder, service, names, own_waiters):
    """{file name: its data} of one service"""
    model = read_json(folder, "service-2")
    known = model["operations"]
    if names == ["*"]:
        names = list(known)
    check_names(service, names, known)
    operations = {name: compact_operation(name, known[name]) for name in sorted(names)}
    files = {
        "service-2": {
            "version": model["version"],
            "metadata": only(model["metadata"], METADATA),
            "operations": operations,
            "shapes": reachable(operations, model["shapes"]),
        }
    }
    rules = read_json(folder, "paginators-1").get("pagination", {})
    rules = {name: rules[name] for name in sorted(rules) if name in operations}
    if rules:
        files["paginators-1"] = {"pagination": rules}
    waiters = dict(read_json(folder, "waiters-2").get("waiters", {}))
    for name, rule in own_waiters.items():
        if name in waiters:
            fail(f"aws_waiters.json: botocore has {service} {name} itself by now; remove it")
        check_names(service, [rule["operation"]], operations)
        check_states(service, name, rule, model["shapes"])
        check_paths(service, name, rule, model)
        waiters[name] = rule
    waiters = {name: waiters[name] for name in sorted(waiters) if waiters[name]["operation"] in operations}
    for rule in waiters.values():
        rule.pop("description", None)
    if waiters:
        files["waiters-2"] = {"version": 2, "waiters": waiters}
    return files


def text_of(data):
    """JSON with one operation, shape or rule to a line"""
    def flat(value):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    parts = [f'"note":{flat(NOTE)}']
    for key, value in data.items():
        if isinstance(value, dict) and key != "metadata":
            lines = ",\n".join(f"{flat(name)}:{flat(entry)}" for name, entry in value.items())
            parts.append(f"{flat(key)}:{{\n{lines}\n}}")
        else:
            parts.append(f"{flat(key)}:{flat(value)}")
    return "{" + ",\n".join(parts) + "}\n"


def make():
    """{path below OUT: text} of everything"""
    try:
        import botocore
    except ImportError:
        fail(f"needs botocore {BOTOCORE}: pip install botocore=={BOTOCORE} in a virtual environment")
    if botocore.__version__ != BOTOCORE:
        fail(f"needs botocore {BOTOCORE}, found {botocore.__version__}")
    data = os.path.join(os.path.dirname(botocore.__file__), "data")
    with open(os.path.join(HERE, "aws_waiters.json"), encoding="utf-8") as file:
        own = json.load(file)["services"]
    texts = {}
    for service, names in sorted(read_wanted().items()):
        if not os.path.isdir(os.path.join(data, service)):
            fail(f"aws_operations.txt: botocore has no [{service}]")
        version = max(os.listdir(os.path.join(data, service)))
        folder = os.path.join(data, service, version)
        for name, content in compact(folder, service, names, own.get(service, {})).items():
            texts[f"{service}/{name}.json"] = text_of(content)
    return texts


def present():
    found = set()
    for folder, _, files in os.walk(OUT):
        found |= {os.path.relpath(os.path.join(folder, name), OUT) for name in files}
    return found


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    texts, wrong = make(), 0
    for name in sorted(present() - set(texts)):
        wrong += 1
        print(f"{name}: not made from anything")
        if not arguments:
            os.remove(os.path.join(OUT, name))
    for name, text in texts.items():
        path = os.path.join(OUT, name)
        old = open(path, encoding="utf-8").read() if os.path.exists(path) else None
        if old == text:
            continue
        wrong += 1
        print(f"{name}: {'differs' if old is not None else 'new'}")
        if not arguments:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    total = sum(len(text.encode()) for text in texts.values())
    print(f"{len(texts)} files, {total} bytes")
    return 1 if arguments and wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
