"""control.py - misbehaviour by rule: which requests it meets, and what then happens to them.

A rule is an object with `fault` and any of
  service, operation, method   equal to the request's; path: a regular expression found in the target
  skip, count, percent         the first `skip` that match are left alone, then `count` are met (all), each with that chance
Faults, and what they take:
  throttle     code, status, message, retry_after (ms, sent as x-amz-retry-after): nothing is done; the protocol's own words
  error        code, status, message: any other error in the protocol's form; nothing is done
  status       status (503), html (bool): a bare status or an HTML page; nothing is done
  expired      the protocol's answer to an expired session token; nothing is done
  html         status (200): a page where data was due; nothing is done
  answer       status, body, headers (object): those, word for word; nothing is done
  redirect     status (307), to: a Location; nothing is done
  error200     code (InternalError), message: S3's 200 with <Error> in it, after the work is done
  reset        when: "before" (default) or "after" the work is done; the connection is reset
  hangup       when: the same, closed in order
  silence      seconds (60), when: no answer
  cut          bytes (half): so many bytes of the body, then how: "reset" or "close"
  truncate     bytes (half): the body ends there and its length says so
  slow         first, gap (seconds), bytes (per piece, 1): waits before the head, and between pieces of the body
  corrupt      at (middle): one byte of the body is another
"""
import random
import re
import threading
import time

from answers import PROTOCOLS, element, error, refuse
from signature import Refusal
from wire import Response, Slice

HTML = (b"<!DOCTYPE html>\n<html><head><title>Service Unavailable</title></head><body><h1>An intermediate server says no.</h1>"
        b"<p>Try & try again<br></body></html>\n")
FIELDS = {
    "throttle": {"code", "status", "message", "retry_after"}, "error": {"code", "status", "message"}, "status": {"status", "html"},
    "expired": set(), "html": {"status"}, "answer": {"status", "body", "headers"}, "redirect": {"status", "to"},
    "error200": {"code", "message"}, "reset": {"when"}, "hangup": {"when"}, "silence": {"seconds", "when"},
    "cut": {"bytes", "how"}, "truncate": {"bytes"}, "slow": {"first", "gap", "bytes"}, "corrupt": {"at"},
}
MATCHES = {"service", "operation", "method", "path", "skip", "count", "percent", "fault"}
THROTTLED = {
    "s3": (503, "SlowDown", "Please reduce your request rate."), "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "query": (400, "Throttling", "Rate exceeded"), "json": (400, "ThrottlingException", "Rate exceeded"),
    "rest-json": (429, "TooManyRequestsException", "Too Many Requests"),
}
BEFORE = {"throttle", "error", "status", "expired", "html", "answer", "redirect"}


class Control:
    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.rules, self.random = [], random.Random(1)

    def add(self, rule):
        unknown = set(rule) - MATCHES - FIELDS.get(rule.get("fault"), set())
        if rule.get("fault") not in FIELDS or unknown:
            raise ValueError(f"no such fault, or it does not take {sorted(unknown)}: {rule.get('fault')}")
        with self.lock:
            self.rules.append(dict(rule, met=0, seen=0))

    def pick(self, request, service, operation):
        """The fault that meets this request, or None."""
        for rule in self.rules:
            if rule.get("service", service) != service or rule.get("operation", operation) != operation \
                    or rule.get("method", request.method) != request.method \
                    or ("path" in rule and not re.search(rule["path"], request.target)):
                continue
            with self.lock:
                rule["seen"] += 1
                if rule["seen"] <= rule.get("skip", 0) or rule["met"] >= rule.get("count", 1 << 60) \
                        or self.random.random() * 100 >= rule.get("percent", 100):
                    continue
                rule["met"] += 1
            return rule
        return None

    # --- what happens -------------------------------------------------------------------------------------------------

    @staticmethod
    def instead(fault, request, service, now):
        """The answer that a fault gives in place of the service's; None if the service is to answer."""
        kind, protocol = fault["fault"], PROTOCOLS.get(service, "rest-json")
        if kind in ("reset", "hangup", "silence") and fault.get("when", "before") == "before":
            return _no_answer(fault, request.connection)
        if kind not in BEFORE:
            return None
        if kind == "throttle":
            status, code, message = THROTTLED[protocol]
            headers = [("x-amz-retry-after", fault["retry_after"])] if "retry_after" in fault else []
            return error(protocol, fault.get("status", status), fault.get("code", code), fault.get("message", message), (), headers,
                         request.method)
        if kind == "error":
            return error(protocol, fault.get("status", 500), fault.get("code", "InternalError"), fault.get("message", "We encountered an "
                         "internal error. Please try again."), method=request.method)
        if kind == "expired":
            return refuse(Refusal("expired_token"), service if service in PROTOCOLS else "eks", now, request.method)
        if kind == "answer":
            return Response(fault.get("status", 200), fault.get("body", "").encode(), list(fault.get("headers", {}).items()))
        if kind == "redirect":
            return Response(fault.get("status", 307), b"", [("Location", fault["to"])])
        page = kind == "html" or fault.get("html")
        return Response(fault.get("status", 200 if kind == "html" else 503), HTML if page else b"",
                        [("Content-Type", "text/html")] if page else [])

    @staticmethod
    def after(fault, request, response):
        """The service's answer as the fault leaves it, and the way in which its body is sent."""
        kind = fault["fault"]
        if kind in ("reset", "hangup", "silence"):
            return _no_answer(fault, request.connection)
        if kind == "error200":
            inner = element("Code", fault.get("code", "InternalError")) + element("Message", fault.get("message", "We encountered an internal "
                            "error. Please try again."))
            response = Response(200, f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode(),
                                [("Content-Type", "application/xml")])
        size = len(response.body)
        if kind == "truncate":
            n = min(fault.get("bytes", size // 2), size)
            body = response.body
            response.body = Slice(body.store, body.start, n) if isinstance(body, Slice) else body[:n]
        shape = {"cut": _cut, "slow": _slow, "corrupt": _corrupt}.get(kind)
        return response, shape and shape(fault, size)


def _no_answer(fault, connection):
    if fault["fault"] == "reset":
        connection.reset()
    if fault["fault"] == "silence":
        connection.wait_for_end(fault.get("seconds", 60))
    raise EOFError


def _cut(fault, size):
    def shape(c, pieces):
        left = min(fault.get("bytes", size // 2), size)
        for piece in pieces:
            c.send(piece[:left])
            left -= min(left, len(piece))
            if left == 0:
                break
        if fault.get("how") == "reset":
            # What is still unsent would be lost with the reset.
            time.sleep(0.05)
            c.reset()
        raise EOFError

    return shape


def _slow(fault, size):
    def shape(c, pieces):
        step, gap = fault.get("bytes", 1), fault.get("gap", 0)
        for piece in pieces:
            for at in range(0, len(piece), step):
                time.sleep(gap)
                c.send(piece[at:at + step])

    return shape


def _corrupt(fault, size):
    def shape(c, pieces):
        at, offset = fault.get("at", size // 2), 0
        for piece in pieces:
            if offset <= at < offset + len(piece):
                piece = bytearray(piece)
                piece[at - offset] ^= 1
            c.send(bytes(piece))
            offset += len(piece)

    return shape
