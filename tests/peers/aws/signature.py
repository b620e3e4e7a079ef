"""signature.py - Signature Version 4 as AWS checks it: what came on the wire is signed anew by botocore's own signer."""
import calendar
import hmac
import re
import time
from email.utils import parsedate_tz, mktime_tz
from urllib.parse import quote_from_bytes, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = {
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
}
QUERY_NAMES = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
               "X-Amz-Signature")
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^\s,]+),\s*SignedHeaders=([^\s,]+),\s*Signature=([^\s,]+)")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HEX = re.compile(r"[0-9a-f]{64}")


class Refusal(Exception):
    """Why a request is not let in: the words of answers.py, and what belongs to them."""

    def __init__(self, kind, **details):
        super().__init__(kind)
        self.kind, self.details = kind, details

    def __str__(self):
        texts = [f"{k}={v}" for k, v in self.details.items() if k not in ("canonical", "to_sign")]
        return " ".join([self.kind] + texts)


def parse_time(text):
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", text or ""):
        return None
    try:
        return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None


def format_time(seconds):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _exact(base):
    class Exact(base):
        """Signs exactly the headers that the client says it signed, and with its time."""

        def headers_to_sign(self, request):
            return request.headers

    return Exact


SIGNERS = {True: _exact(S3SigV4Auth), False: _exact(SigV4Auth)}


def decoded_query(query):
    """(name, value) of each pair, decoded as a server does."""
    pairs = []
    for pair in query.split("&") if query else []:
        name, _, value = pair.partition("=")
        pairs.append(tuple(unquote_to_bytes(part.replace("+", " ")) for part in (name, value)))
    return pairs


def _canonical_query(pairs):
    return "&".join("=".join(quote_from_bytes(part, safe="-_.~") for part in pair) for pair in pairs)


class Proof:
    """A signature that holds; `sign` continues it (chunks, trailers)."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def sign(self, string_to_sign):
        return self.signer.signature(string_to_sign, self.request)


class Claim:
    """What the client says of itself, taken apart and checked for form."""

    def __init__(self, request):
        header, pairs = request.get("authorization"), decoded_query(request.query)
        names = {n.decode("latin-1").lower() for n, _ in pairs}
        presigned = "x-amz-signature" in names or "x-amz-algorithm" in names
        if header is not None and presigned:
            raise Refusal("two_mechanisms")
        if header is None and not presigned:
            raise Refusal("missing")
        self.presigned, self.pairs = presigned, pairs
        self._from_query() if presigned else self._from_header(request, header)
        self._credential()

    def _from_header(self, request, header):
        match = AUTHORIZATION.fullmatch(header)
        if not match:
            raise Refusal("incomplete", text="Authorization header requires 'Credential' parameter. Authorization header "
                          "requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
                          "(Hashed with SHA-256 and encoded with Base64)" if header.startswith("AWS4-HMAC-SHA256")
                          else "Unsupported AWS 'algorithm'")
        self.credential, signed, self.signature = match.groups()
        self.signed, self.expires = signed.split(";"), None
        self.token = request.get("x-amz-security-token")
        stamp = request.get("x-amz-date")
        if stamp is None and request.get("date"):
            parsed = parsedate_tz(request.get("date"))
            stamp = format_time(mktime_tz(parsed)) if parsed else ""
        if stamp is None:
            raise Refusal("incomplete", text="Authorization header requires existence of either a 'X-Amz-Date' or a "
                          "'Date' header.")
        self.stamp = stamp

    def _from_query(self):
        found = {}
        for name, value in self.pairs:
            found.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        for name in QUERY_NAMES:
            if len(found.get(name, ())) != 1:
                raise Refusal("query_incomplete")
        algorithm, self.credential, self.stamp, expires, signed, self.signature = (found[n][0] for n in QUERY_NAMES)
        if algorithm != "AWS4-HMAC-SHA256":
            raise Refusal("query_malformed", text='X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
        if not re.fullmatch(r"[0-9]{1,9}", expires):
            raise Refusal("query_malformed", text="X-Amz-Expires should be a number")
        self.expires = int(expires)
        if self.expires > 604800:
            raise Refusal("query_malformed", text="X-Amz-Expires must be less than a week (in seconds); that is, the "
                          "given X-Amz-Expires must be less than 604800 seconds")
        self.signed = signed.split(";")
        tokens = found.get("X-Amz-Security-Token", [])
        if len(tokens) > 1:
            raise Refusal("query_incomplete")
        self.token = tokens[0] if tokens else None

    def _credential(self):
        parts = self.credential.split("/")
        if len(parts) != 5 or parts[4] != "aws4_request":
            raise Refusal("malformed", text="the Credential is mal-formed; expecting "
                          '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
        self.access_key, self.day, self.region, self.service, _ = parts
        if parse_time(self.stamp) is None:
            raise Refusal("incomplete", text="Date must be in ISO-8601 'basic format'. Got '" + self.stamp + "'.")
        if not HEX.fullmatch(self.signature):
            raise Refusal("mismatch", canonical="", to_sign="")
        if self.signed != sorted(set(self.signed)) or any(n != n.lower() for n in self.signed):
            raise Refusal("malformed", text="SignedHeaders must be lower case, sorted and there once.")


def _check_headers(request, claim, s3):
    missing = [n for n in claim.signed if n not in request.lower]
    if missing:
        raise Refusal("mismatch", canonical="", to_sign="", absent=",".join(missing))
    if "host" not in claim.signed:
        raise Refusal("incomplete", text="'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    must = {"x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-target", "x-k8s-aws-id"}
    unsigned = [n for n in request.lower if n not in claim.signed and (n in must or (s3 and n.startswith("x-amz-")))]
    if not claim.presigned and "content-type" in request.lower and "content-type" not in claim.signed:
        unsigned.append("content-type")
    if not claim.presigned and "x-amz-date" not in request.lower and "date" not in claim.signed:
        unsigned.append("date")
    if unsigned:
        raise Refusal("not_signed", headers=", ".join(sorted(unsigned)))


def _check_scope(claim, service, region):
    if claim.service != service:
        raise Refusal("wrong_service", expected=service, got=claim.service)
    if region is not None and claim.region != region:
        raise Refusal("wrong_region", expected=region, got=claim.region)
    if claim.day != claim.stamp[:8]:
        raise Refusal("scope_date", day=claim.day, stamp=claim.stamp)


def _check_time(claim, now, s3):
    at = parse_time(claim.stamp)
    window = 900 if s3 else 300
    if claim.presigned:
        if at > now + window:
            raise Refusal("not_yet", at=at, now=now, window=window)
        # STS honours a presigned call (the EKS token) for 15 minutes whatever it says.
        if now > at + (900 if claim.service == "sts" else claim.expires):
            raise Refusal("presign_expired", at=at, now=now, expires=claim.expires)
    elif at > now + window or at < now - window:
        raise Refusal("skew", at=at, now=now, window=window)


def _check_key(claim, keys, now):
    key = keys.get(claim.access_key)
    if key is None:
        raise Refusal("unknown_key", access_key=claim.access_key)
    if claim.token != key.get("token"):
        raise Refusal("bad_token")
    if key.get("expires") is not None and now >= key["expires"]:
        raise Refusal("expired_token")
    return key


def _payload(request, claim, s3):
    """The payload's word in the canonical request; None while it is the hash of a body that has not been read."""
    declared = request.get("x-amz-content-sha256")
    if not s3:
        actual = request.body.sha256() if request.body else EMPTY
        if declared is not None and declared != actual:
            raise Refusal("mismatch", canonical="", to_sign="", payload=declared)
        return actual
    if claim.presigned:
        for name, value in claim.pairs:
            if name.lower() == b"x-amz-content-sha256":
                declared = value.decode("latin-1")
        return declared or UNSIGNED
    if declared is None:
        raise Refusal("no_payload_hash")
    if declared != UNSIGNED and declared not in STREAMING and not HEX.fullmatch(declared):
        raise Refusal("bad_payload_hash")
    return declared


def verify(request, keys, service, region, now):
    """Returns a Proof or raises a Refusal. S3's payload word is taken on trust here: who reads the body checks it.

    For other services the body must have been read. region None: any (S3 checks the bucket's own).
    """
    s3 = service == "s3"
    claim = Claim(request)
    _check_scope(claim, service, region)
    key = _check_key(claim, keys, now)
    _check_time(claim, now, s3)
    _check_headers(request, claim, s3)
    payload = _payload(request, claim, s3)
    path = request.path
    if s3:
        path = quote_from_bytes(unquote_to_bytes(path), safe="/~-_.")
    query = _canonical_query((n, v) for n, v in claim.pairs if n != b"X-Amz-Signature")
    again = AWSRequest(method=request.method, url=f"http://host{path}" + ("?" + query if query else ""))
    again.headers = HTTPHeaders()
    for name, value in request.headers:
        if name.lower() in claim.signed:
            again.headers[name.lower()] = value
    again.context["timestamp"] = claim.stamp
    signer = SIGNERS[s3](Credentials(claim.access_key, key["secret"]), claim.service, claim.region)
    signer.payload = lambda _: payload
    canonical = signer.canonical_request(again)
    to_sign = signer.string_to_sign(again, canonical)
    if not hmac.compare_digest(signer.signature(to_sign, again), claim.signature):
        raise Refusal("mismatch", canonical=canonical, to_sign=to_sign, access_key=claim.access_key,
                      signature=claim.signature)
    return Proof(signer=signer, request=again, access_key=claim.access_key, key=key, service=claim.service,
                 region=claim.region, stamp=claim.stamp, signature=claim.signature, payload=payload,
                 presigned=claim.presigned, signed=claim.signed,
                 scope=f"{claim.day}/{claim.region}/{claim.service}/aws4_request")
