"""shapes.py - requests read and answers written by botocore's models: the query, ec2 and json protocols"""
import json
import uuid
from datetime import datetime, timezone
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore.session

MODELS, SESSION = {}, botocore.session.Session()


class Refused(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def model(service):
    if service not in MODELS:
        MODELS[service] = SESSION.get_service_model(service)
    return MODELS[service]


def now():
    return datetime.now(timezone.utc)


def form_of(body):
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def read(service, operation, body):
    """The parameters of a call, as boto3 takes them."""
    shapes = model(service)
    if operation not in shapes.operation_names:
        raise Refused("InvalidAction", f"The action {operation} is not valid for this web service.")
    shape = shapes.operation_model(operation).input_shape
    if shapes.protocol == "json":
        return json.loads(body or b"{}")
    return _structure(shape, form_of(body), "", shapes.protocol == "ec2") if shape else {}


def _structure(shape, form, prefix, ec2):
    found = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        if ec2:
            wire = member.serialization.get("queryName", wire[:1].upper() + wire[1:])
        value = _read(member, form, prefix + wire, ec2)
        if value is not None:
            found[name] = value
    return found


def _read(shape, form, at, ec2):
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, form, at + ".", ec2) if any(key.startswith(at + ".") for key in form) else None
    if kind == "list":
        values, inner = [], at + "." if ec2 or shape.serialization.get("flattened") else at + ".member."
        while (value := _read(shape.member, form, inner + str(len(values) + 1), ec2)) is not None:
            values.append(value)
        return values or ([] if at in form else None)
    if at not in form:
        return None
    text = form[at]
    return text == "true" if kind == "boolean" else int(text) if kind in ("integer", "long") else text


def write(service, operation, answer, namespace):
    """The body of an answer, and its content type."""
    shapes = model(service)
    shape, number = shapes.operation_model(operation).output_shape, str(uuid.uuid4())
    if shapes.protocol == "json":
        return json.dumps(answer or {}).encode(), "application/x-amz-json-1.1"
    inner = _write(shape, answer or {}) if shape else ""
    if shapes.protocol == "ec2":
        return (f'<{operation}Response xmlns="{namespace}"><requestId>{number}</requestId>{inner}</{operation}Response>'.encode(),
                "text/xml;charset=UTF-8")
    result = f"<{operation}Result>{inner}</{operation}Result>" if shape else ""
    return (f'<{operation}Response xmlns="{namespace}">{result}<ResponseMetadata><RequestId>{number}</RequestId></ResponseMetadata>'
            f"</{operation}Response>").encode(), "text/xml"


def _write(shape, value):
    kind = shape.type_name
    if kind == "structure":
        text = ""
        for name, member in shape.members.items():
            if value.get(name) is not None:
                wire = member.serialization.get("name", name)
                text += f"<{wire}>{_write(member, value[name])}</{wire}>"
        return text
    if kind == "list":
        wire = shape.member.serialization.get("name", "member")
        return "".join(f"<{wire}>{_write(shape.member, x)}</{wire}>" for x in value)
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "timestamp":
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return escape(str(value))
