"""Builds the requests of a JSON list on standard input as botocore does, and writes their parts as a JSON list.

With a service's name alone in a case, answers the text of its description instead."""
import base64
import gzip
import json
import os
import sys

import botocore
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence

DATA = os.path.join(os.path.dirname(botocore.__file__), "data")
loaded = {}


def description(service):
    if service not in loaded:
        folder = os.path.join(DATA, service)
        path = os.path.join(folder, sorted(os.listdir(folder))[-1], "service-2.json.gz")
        with gzip.open(path) as file:
            loaded[service] = file.read().decode()
    return loaded[service]


def ordered(value, shape):
    """Parameters in the order of the description, maps by the bytes of their keys; blobs out of base64."""
    if shape.type_name == "structure" and not shape.is_document_type:
        return {name: ordered(value[name], member) for name, member in shape.members.items() if name in value}
    if shape.type_name == "list":
        return [ordered(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {key: ordered(value[key], shape.value) for key in sorted(value, key=str.encode)}
    return value


def build(case):
    if "operation" not in case:
        return {"description": description(case["service"])}
    model = ServiceModel(json.loads(description(case["service"])), case["service"])
    operation = model.operation_model(case["operation"])
    params = ordered(case["params"], operation.input_shape) if operation.input_shape else {}
    request = create_serializer(model.resolved_protocol, False).serialize_to_request(params, operation)
    body, query = request["body"], request["query_string"]
    if isinstance(body, dict):
        body = percent_encode_sequence(body).encode()
    path, _, fixed = request["url_path"].partition("?")
    more = percent_encode_sequence(query) if isinstance(query, dict) else query
    return {
        "method": request["method"],
        "path": path,
        "query": "&".join(part for part in (fixed, more) if part),
        "headers": dict(request["headers"]),
        "host_prefix": request.get("host_prefix") or "",
        "body": base64.b64encode(body).decode(),
    }


json.dump([build(case) for case in json.load(sys.stdin)], sys.stdout)
