"""jmespath_oracle.py - every expression of botocore's paginators and waiters, applied by python's jmespath to made-up data

Prints JSON: [{"expression", "data", "result"} or {..., "error": true}], several for each expression, the same each time.
"""
import glob
import gzip
import json
import os
import random
import sys

import botocore
import jmespath

rng = random.Random(5)


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        return json.load(file)


def expressions():
    found, data = set(), os.path.join(os.path.dirname(botocore.__file__), "data")
    for path in glob.glob(data + "/*/*/paginators-1.json*"):
        for rule in read(path)["pagination"].values():
            for key in ("output_token", "result_key", "more_results", "non_aggregate_keys"):
                value = rule.get(key, [])
                found |= set(value if isinstance(value, list) else [value])
    for path in glob.glob(data + "/*/*/waiters-2.json*"):
        for waiter in read(path).get("waiters", {}).values():
            found |= {acceptor["argument"] for acceptor in waiter["acceptors"] if "argument" in acceptor}
    return sorted(found)


def leaf():
    return rng.choice(["", "x", "AVAILABLE", 0, 1, 2.5, True, False, None, ["a"], {"k": "v"}])


def merge(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return {key: merge(a[key], b[key]) if key in a and key in b else a.get(key, b.get(key)) for key in {**a, **b}}
    if isinstance(a, list) and isinstance(b, list):
        longer, shorter = (a, b) if len(a) > len(b) else (b, a)
        return [merge(x, y) for x, y in zip(longer, shorter)] + longer[len(shorter):]
    return b if a is None else a


def make(node, inner):
    """Data in which `node` finds `inner`, or something like it"""
    kind, children = node["type"], node["children"]
    if kind == "field":
        return {node["value"]: inner}
    if kind in ("subexpression", "index_expression", "pipe"):
        for child in reversed(children):
            inner = make(child, inner)
        return inner
    if kind == "index":
        return [inner] * rng.randint(0, 3)
    if kind == "flatten":
        return make(children[0], [[inner], inner] if rng.random() < 0.3 and not isinstance(inner, list) else inner)
    if kind == "projection":
        return make(children[0], [make(children[1], rng.choice([inner, leaf()])) for _ in range(rng.randint(0, 3))])
    if kind == "value_projection":
        return make(children[0], {key: make(children[1], leaf()) for key in "abc"[:rng.randint(1, 3)]})
    if kind == "filter_projection":
        rows = [merge(make(children[2], True), make(children[1], leaf())) for _ in range(rng.randint(0, 3))]
        return make(children[0], rows)
    if kind == "function_expression":
        return make(children[0], rng.choice([inner, leaf(), "text", [1, 2], []]))
    if kind == "comparator":
        literals = [child["value"] for child in children if child["type"] == "literal"]
        value = rng.choice(literals + [leaf()]) if literals else rng.choice([1, 2])
        return merge(make(children[0], value), make(children[1], value))
    if kind in ("or_expression", "and_expression"):
        return merge(make(children[0], inner), make(children[1], leaf()))
    if kind == "not_expression":
        return make(children[0], inner)
    return inner  # identity, literal


def spoiled(data):
    """With one place of another type"""
    if rng.random() < 0.2:
        return leaf()
    if isinstance(data, dict) and data:
        key = rng.choice(sorted(data))
        return {**data, key: spoiled(data[key])}
    if isinstance(data, list) and data:
        return data[:-1] + [spoiled(data[-1])]
    return leaf()


def main():
    cases = []
    for expression in expressions():
        compiled = jmespath.compile(expression)
        for n in range(6):
            data = make(compiled.parsed, leaf())
            data = spoiled(data) if n >= 4 else data
            case = {"expression": expression, "data": data}
            try:
                case["result"] = compiled.search(data)
            except jmespath.exceptions.JMESPathError:
                case["error"] = True
            cases.append(case)
    json.dump(cases, sys.stdout)


if __name__ == "__main__":
    main()
