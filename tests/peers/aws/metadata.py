"""metadata.py - where credentials come from: instance metadata, container endpoints, the SSO portal, OIDC."""
import json
import re
import secrets

from answers import iso
from signature import decoded_query
from wire import Response

ROOT = "/latest/meta-data/iam/security-credentials/"
DEFAULTS = {
    # v1: answers without a token; token_status: of PUT /latest/api/token instead of a token; silent: answers nothing
    "imds": {"v1": False, "token_status": None, "silent": False, "role": "fake-role", "seconds": 21600, "code": "Success",
             "message": None, "missing": [], "region": None, "status": None},
    # authorization: what the header must be; status: of every answer instead of credentials
    "container": {"authorization": None, "seconds": 3600, "status": None},
    "sso": {"token": "sso-access-token", "seconds": 3600, "accounts": {"123456789012": ["Admin"]}},
    "oidc": {"client_id": "client", "client_secret": "client-secret", "refresh_token": "refresh-token", "seconds": 28800},
}


class Metadata:
    def __init__(self, services, region):
        self.services, self.region = services, region
        self.reset()

    def reset(self):
        self.settings = json.loads(json.dumps(DEFAULTS))
        self.tokens, self.credentials = {}, {}

    def configure(self, part, given):
        unknown = set(given) - set(self.settings[part])
        if unknown:
            raise ValueError(f"{part} has no {sorted(unknown)}")
        self.settings[part].update(given)
        self.credentials.pop(part, None)

    def _key(self, part, now):
        """The credentials of a source; made anew when four fifths of their time have gone, as the real ones are."""
        name, key, until = self.credentials.get(part, (None, None, 0))
        if now >= until:
            seconds = self.settings[part]["seconds"]
            name, key = self.services.make_key(now + seconds, f"arn:aws:sts::123456789012:assumed-role/{part}/i-0")
            self.credentials[part] = name, key, now + max(1, seconds * 0.8)
        return name, key

    # --- IMDS ---------------------------------------------------------------------------------------------------------

    def imds(self, request, now):
        s = self.settings["imds"]
        if s["silent"]:
            request.connection.wait_for_end(60)
        if "x-forwarded-for" in request.lower:
            return _plain(403, "Forbidden")
        if request.path == "/latest/api/token":
            return self._imds_token(request, now, s)
        if request.method != "GET":
            return _plain(405, "Method Not Allowed")
        token = request.get("x-aws-ec2-metadata-token")
        if token is None:
            if not s["v1"]:
                return _plain(401, "Unauthorized")
        elif self.tokens.get(token, 0) <= now:
            return _plain(401, "Unauthorized")
        if s["status"]:
            return _plain(s["status"], "as you wish")
        return self._imds_path(request.path, now, s)

    def _imds_token(self, request, now, s):
        if s["token_status"]:
            return _plain(s["token_status"], "no token")
        if request.method != "PUT":
            return _plain(405, "Method Not Allowed")
        ttl = request.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not re.fullmatch(r"\d{1,5}", ttl) or not 1 <= int(ttl) <= 21600:
            return _plain(400, "Bad Request")
        token = secrets.token_urlsafe(40) + "=="
        self.tokens[token] = now + int(ttl)
        return _plain(200, token, [("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", ttl)])

    def _imds_path(self, path, now, s):
        region = s["region"] or self.region
        if path in (ROOT, ROOT[:-1]) and s["role"]:
            return _plain(200, s["role"])
        if path == ROOT + (s["role"] or "") and s["role"]:
            if s["code"] != "Success":
                return _json(200, {"Code": s["code"], "Message": s["message"], "LastUpdated": iso(now)})
            name, key = self._key("imds", now)
            answer = {"Code": "Success", "LastUpdated": iso(now), "Type": "AWS-HMAC", "AccessKeyId": name, "SecretAccessKey": key["secret"],
                      "Token": key["token"], "Expiration": iso(key["expires"])}
            # The real one says text/plain.
            return _plain(200, json.dumps({k: v for k, v in answer.items() if k not in s["missing"]}))
        if path == "/latest/meta-data/placement/region":
            return _plain(200, region)
        if path == "/latest/meta-data/placement/availability-zone":
            return _plain(200, region + "a")
        if path == "/latest/dynamic/instance-identity/document":
            return _plain(200, json.dumps({"region": region, "accountId": "123456789012", "instanceId": "i-0"}))
        return _plain(404, "Not Found")

    # --- ECS and EKS Pod Identity -------------------------------------------------------------------------------------

    def container(self, request, now):
        s = self.settings["container"]
        if request.method != "GET":
            return _json(405, {"code": "MethodNotAllowed", "message": "GET is needed"})
        if s["authorization"] is not None and request.get("authorization") != s["authorization"]:
            return _json(401, {"code": "AccessDenied", "message": "the Authorization header is missing or wrong"})
        if s["status"]:
            return _json(s["status"], {"code": "Failed", "message": "as you wish"})
        name, key = self._key("container", now)
        return _json(200, {"RoleArn": "arn:aws:iam::123456789012:role/task", "AccessKeyId": name, "SecretAccessKey": key["secret"],
                           "Token": key["token"], "Expiration": iso(key["expires"]), "AccountId": "123456789012"})

    # --- SSO ----------------------------------------------------------------------------------------------------------

    def portal(self, request, now):
        s, query = self.settings["sso"], {n.decode("latin-1"): v.decode("latin-1") for n, v in decoded_query(request.query)}
        if request.get("authorization"):
            return _typed(400, "InvalidRequestException", {"message": "this call is not signed"})
        if request.get("x-amz-sso_bearer_token") != s["token"]:
            return _typed(401, "UnauthorizedException", {"message": "Session token not found or invalid"})
        if query.get("role_name") not in s["accounts"].get(query.get("account_id"), ()):
            return _typed(403, "ForbiddenException", {"message": "No access"})
        name, key = self._key("sso", now)
        return _json(200, {"roleCredentials": {"accessKeyId": name, "secretAccessKey": key["secret"], "sessionToken": key["token"],
                                               "expiration": int(key["expires"] * 1000)}})

    def oidc(self, request, now):
        s = self.settings["oidc"]
        try:
            given = json.loads(request.body.bytes())
        except ValueError:
            given = None
        if not isinstance(given, dict) or request.method != "POST" or given.get("grantType") != "refresh_token":
            return _typed(400, "InvalidRequestException", {"error": "invalid_request", "error_description": "Invalid request"})
        if request.get("authorization"):
            return _typed(400, "InvalidRequestException", {"error": "invalid_request", "error_description": "this call is not signed"})
        if (given.get("clientId"), given.get("clientSecret")) != (s["client_id"], s["client_secret"]):
            return _typed(401, "InvalidClientException", {"error": "invalid_client", "error_description": "Invalid client"})
        if given.get("refreshToken") != s["refresh_token"]:
            return _typed(400, "InvalidGrantException", {"error": "invalid_grant", "error_description": "Invalid refresh token provided"})
        # Each refresh token serves once.
        s["refresh_token"], self.settings["sso"]["token"] = "r-" + secrets.token_urlsafe(20), "a-" + secrets.token_urlsafe(20)
        return _json(200, {"accessToken": self.settings["sso"]["token"], "expiresIn": s["seconds"], "tokenType": "Bearer",
                           "refreshToken": s["refresh_token"]})


def _plain(status, text, headers=()):
    return Response(status, text.encode(), [("Content-Type", "text/plain"), *headers])


def _json(status, value):
    return Response(status, json.dumps(value).encode(), [("Content-Type", "application/json")])


def _typed(status, code, value):
    r = _json(status, value)
    r.headers.append(("x-amzn-ErrorType", code))
    return r
