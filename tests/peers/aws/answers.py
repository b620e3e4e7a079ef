"""answers.py - errors as AWS words them: one refusal, and the status, code and text that each protocol gives it."""
import json
import time
import uuid
from xml.sax.saxutils import escape

from signature import format_time
from wire import Response

MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
            "and signing method. Consult the service documentation for details.")
S3_MISMATCH = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
PROTOCOLS = {"s3": "s3", "ec2": "ec2", "sts": "query", "ssm": "json", "ecr": "json", "eks": "rest-json"}


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def request_id():
    return str(uuid.uuid4())


def element(name, value):
    return f"<{name}>{escape(str(value))}</{name}>"


def error(protocol, status, code, message, more=(), headers=(), method="GET"):
    """One error in a protocol's form. `more`: (name, value) that S3 adds to the XML."""
    number, headers = request_id(), list(headers)
    if protocol == "s3":
        headers += [("x-amz-request-id", number[:16].upper())]
        if method == "HEAD":
            return Response(status, b"", headers)
        inner = element("Code", code) + element("Message", message) + "".join(element(n, v) for n, v in more)
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}{element("RequestId", number[:16].upper())}<HostId>fake</HostId></Error>'
        headers.append(("Content-Type", "application/xml"))
    elif protocol == "ec2":
        body = ('<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>' + element("Code", code) + element("Message", message)
                + "</Error></Errors>" + element("RequestID", number) + "</Response>")
        headers.append(("Content-Type", "text/xml;charset=UTF-8"))
    elif protocol == "query":
        kind = "Sender" if status < 500 else "Receiver"
        body = ('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <Error>\n    ' + element("Type", kind) + "\n    "
                + element("Code", code) + "\n    " + element("Message", message) + "\n  </Error>\n  " + element("RequestId", number)
                + "\n</ErrorResponse>\n")
        headers += [("Content-Type", "text/xml"), ("x-amzn-RequestId", number)]
    elif protocol == "json":
        body = json.dumps({"__type": code, "message": message})
        headers += [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", number)]
    else:
        body = json.dumps({"message": message})
        headers += [("Content-Type", "application/json"), ("x-amzn-RequestId", number), ("x-amzn-ErrorType", code)]
    return Response(status, body.encode(), headers)


def _early_or_late(d):
    at, now, window = d["at"], d["now"], d.get("window", 300)
    if at < now:
        return (f"Signature expired: {format_time(at)} is now earlier than {format_time(now - window)} "
                f"({format_time(now)} - {window // 60} min.)")
    return (f"Signature not yet current: {format_time(at)} is still later than {format_time(now + window)} "
            f"({format_time(now)} + {window // 60} min.)")


def _s3(kind, d, now):
    """status, code, message, further elements, headers"""
    if kind == "mismatch":
        return 403, "SignatureDoesNotMatch", S3_MISMATCH, [
            ("AWSAccessKeyId", d.get("access_key", "")), ("StringToSign", d.get("to_sign", "")),
            ("SignatureProvided", d.get("signature", "")), ("CanonicalRequest", d.get("canonical", ""))]
    if kind == "skew":
        return 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", [
            ("RequestTime", format_time(d["at"])), ("ServerTime", iso(now)), ("MaxAllowedSkewMilliseconds", 900000)]
    if kind == "wrong_region":
        return 400, "AuthorizationHeaderMalformed", (
            f"The authorization header is malformed; the region '{d['got']}' is wrong; expecting '{d['expected']}'"), [
            ("Region", d["expected"])], [("x-amz-bucket-region", d["expected"])]
    if kind == "payload_mismatch":
        return 400, "XAmzContentSHA256Mismatch", (
            "The provided 'x-amz-content-sha256' header does not match what was computed."), [
            ("ClientComputedContentSHA256", d["declared"]), ("S3ComputedContentSHA256", d["actual"])]
    if kind == "not_signed":
        return 403, "AccessDenied", "There were headers present in the request which were not signed", [
            ("HeadersNotSigned", d["headers"])]
    malformed = "The authorization header is malformed; "
    return {
        "missing": (403, "AccessDenied", "Access Denied"),
        "two_mechanisms": (400, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
                           "Signature query string parameter or the Authorization header should be specified"),
        "incomplete": (403, "AccessDenied", d.get("text", "")),
        "malformed": (400, "AuthorizationHeaderMalformed", malformed + d.get("text", "")),
        "query_incomplete": (400, "AuthorizationQueryParametersError", "Query-string authentication version 4 requires the "
                             "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and "
                             "X-Amz-Expires parameters."),
        "query_malformed": (400, "AuthorizationQueryParametersError", d.get("text", "")),
        "wrong_service": (400, "AuthorizationHeaderMalformed", malformed + f"incorrect service \"{d.get('got')}\". This endpoint "
                          "belongs to \"s3\"."),
        "scope_date": (400, "AuthorizationHeaderMalformed", malformed + f"Invalid credential date \"{d.get('day')}\". This date is "
                       "not the same as X-Amz-Date: \"{}\".".format(d.get("stamp", "")[:8])),
        "unknown_key": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        "bad_token": (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        "expired_token": (400, "ExpiredToken", "The provided token has expired."),
        "presign_expired": (403, "AccessDenied", "Request has expired"),
        "not_yet": (403, "AccessDenied", "Request is not yet valid"),
        "no_payload_hash": (400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"),
        "bad_payload_hash": (400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                             "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                             "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."),
        "invalid": (400, "InvalidRequest", d.get("text", "")),
        "no_length": (411, "MissingContentLength", "You must provide the Content-Length HTTP header."),
        "bad_trailer": (400, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not "
                        "conform to our published schema."),
        "bad_chunk": (400, "InvalidRequest", "The request's aws-chunked body is malformed: " + d.get("line", "")),
        "small_chunk": (403, "InvalidChunkSizeError", "Only the last chunk is allowed to have a size less than 8192 bytes"),
        "incomplete_body": (400, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP "
                            "header"),
        "bad_md5": (400, "InvalidDigest", "The Content-MD5 you specified was invalid."),
        "bad_digest": (400, "BadDigest", f"The {d.get('name')} you specified did not match the calculated checksum."),
    }[kind]


def _other(kind, d, protocol):
    ec2, word = protocol == "ec2", protocol in ("json", "rest-json")
    signature = "InvalidSignatureException" if word else "SignatureDoesNotMatch"
    incomplete = "IncompleteSignatureException" if word else "IncompleteSignature"
    denied = 400 if protocol == "json" else 403
    if ec2 and kind in ("mismatch", "unknown_key", "bad_token", "wrong_service", "wrong_region", "scope_date", "not_signed"):
        return 401, "AuthFailure", "AWS was not able to validate the provided access credentials"
    if ec2 and kind in ("skew", "presign_expired", "expired_token", "not_yet"):
        return 400, "RequestExpired", "Request has expired."
    if kind in ("skew", "not_yet"):
        return denied, signature, _early_or_late(d)
    if kind == "presign_expired":
        return denied, signature, _early_or_late(d)
    return {
        "missing": (denied, "MissingAuthenticationTokenException" if word else "MissingAuthenticationToken",
                    "Request is missing Authentication Token"),
        "two_mechanisms": (denied, signature, "Only one auth mechanism allowed"),
        "incomplete": (denied, incomplete, d.get("text", "")),
        "malformed": (denied, incomplete, d.get("text", "")),
        "query_incomplete": (denied, incomplete, "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', "
                             "'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders' and 'X-Amz-Signature'."),
        "query_malformed": (denied, incomplete, d.get("text", "")),
        "mismatch": (denied, signature, MISMATCH),
        "not_signed": (denied, signature, f"{MISMATCH} (not signed: {d.get('headers')})"),
        "wrong_service": (denied, signature, f"Credential should be scoped to correct service: '{d.get('expected')}'. "),
        "wrong_region": (denied, signature, "Credential should be scoped to a valid region. "),
        "scope_date": (denied, signature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                       f"'{d.get('day')}' != '{d.get('stamp', '')[:8]}', from '{d.get('stamp')}'."),
        "unknown_key": (denied, "UnrecognizedClientException" if word else "InvalidClientTokenId",
                        "The security token included in the request is invalid."),
        "bad_token": (denied, "UnrecognizedClientException" if word else "InvalidClientTokenId",
                      "The security token included in the request is invalid."),
        "expired_token": (denied, "ExpiredTokenException" if word else "ExpiredToken",
                          "The security token included in the request is expired"),
    }[kind]


def refuse(refusal, service, now, method="GET"):
    protocol = PROTOCOLS[service]
    if protocol == "s3":
        status, code, message, *rest = _s3(refusal.kind, refusal.details, now)
        more, headers = rest[0] if rest else (), rest[1] if len(rest) > 1 else ()
        return error("s3", status, code, message, more, headers, method)
    return error(protocol, *_other(refusal.kind, refusal.details, protocol))
