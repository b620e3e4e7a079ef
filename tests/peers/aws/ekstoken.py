"""ekstoken.py - a token for EKS as the cluster's authenticator judges it, before and after it asks STS."""
import base64
import re
from urllib.parse import urlsplit

from signature import Refusal, decoded_query, parse_time, verify
from wire import Request

HOST = re.compile(r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?|sts\.[a-z0-9-]+\.api\.aws")
NAMES = {"action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
         "x-amz-signature", "x-amz-signedheaders"}
PREFIX = "k8s-aws-v1."


def judge(token, cluster, keys, region, now):
    why = _why_not(token, cluster, keys, region, now)
    return {"ok": why is None, "why": why}


def _why_not(token, cluster, keys, region, now):
    if len(token) > 4096 or not token.startswith(PREFIX):
        return "longer than 4096 bytes, or without its prefix"
    text = token[len(PREFIX):]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        return "no base64url without padding"
    url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("latin-1")
    parts = urlsplit(url)
    if parts.scheme != "https" or not HOST.fullmatch(parts.netloc) or parts.path != "/" or parts.fragment:
        return f"not https://sts.../: {parts.scheme}://{parts.netloc}{parts.path}"
    words = parts.netloc.split(".")
    if len(words) > 3 and words[1] not in ("amazonaws", region):
        return f"the host is of another region: {parts.netloc}"
    query = {}
    for name, value in decoded_query(parts.query):
        name = name.decode("latin-1").lower()
        if name not in NAMES or name in query:
            return f"a parameter that is unknown or there twice: {name}"
        query[name] = value.decode("latin-1")
    if query.get("action") != "GetCallerIdentity" or query.get("version") != "2011-06-15":
        return "not GetCallerIdentity of 2011-06-15"
    if "x-k8s-aws-id" not in query.get("x-amz-signedheaders", "").lower().split(";"):
        return "x-k8s-aws-id is not signed"
    if not re.fullmatch(r"\d{1,9}", query.get("x-amz-expires", "")) or int(query["x-amz-expires"]) > 900:
        return "X-Amz-Expires is not 0 to 900"
    at = parse_time(query.get("x-amz-date"))
    if at is None or now > at + 900:
        return "older than 15 minutes"
    request = Request(None, "GET", "/?" + parts.query, [("Host", parts.netloc), ("x-k8s-aws-id", cluster), ("accept", "application/json")])
    try:
        verify(request, keys, "sts", region, now)
    except Refusal as r:
        return str(r)
    return None
