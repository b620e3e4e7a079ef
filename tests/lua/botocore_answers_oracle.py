"""Reads the responses of a JSON list on standard input with botocore's parsers; writes, for each, the part of the
service's model that its operation needs, and what botocore makes of it (times as seconds, bytes as text)."""
import datetime
import json
import sys

from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

loader = Loader()


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def reachable(description, value, shapes):
    """Puts every shape that a description's value refers to into `shapes`."""
    if isinstance(value, dict):
        name = value.get("shape")
        if isinstance(name, str) and name not in shapes and name in description["shapes"]:
            shapes[name] = description["shapes"][name]
            reachable(description, shapes[name], shapes)
        for inner in value.values():
            reachable(description, inner, shapes)
    elif isinstance(value, list):
        for inner in value:
            reachable(description, inner, shapes)


def read(case):
    description = loader.load_service_model(case["service"], "service-2")
    operation = description["operations"][case["operation"]]
    shapes = {}
    reachable(description, operation, shapes)
    for name, shape in description["shapes"].items():
        if shape.get("exception"):
            shapes[name] = shape
            reachable(description, shape, shapes)
    service = ServiceModel(description)
    parser = create_parser(service.metadata["protocol"])
    response = {"status_code": case["status"], "headers": HeadersDict(case["headers"]),
                "body": case["body"].encode(), "context": {}}
    parsed = parser.parse(response, service.operation_model(case["operation"]).output_shape)
    fields = None
    if "Error" in parsed:
        shape = service.shape_for_error_code(parsed["Error"].get("QueryErrorCode") or parsed["Error"]["Code"])
        fields = plain(parser.parse(response, shape)) if shape else {}
    metadata = parsed.pop("ResponseMetadata", {})
    return {"model": {"metadata": description["metadata"], "operations": {case["operation"]: operation},
                      "shapes": shapes},
            "result": plain(parsed), "fields": fields, "request_id": metadata.get("RequestId")}


json.dump([read(case) for case in json.load(sys.stdin)], sys.stdout)
