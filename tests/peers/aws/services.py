"""services.py - a few operations of ec2, sts, ssm, ecr and eks: one for each protocol, with pages and states."""
import base64
import json
import re
import secrets
import threading
from urllib.parse import unquote_plus, unquote

from answers import element, error, iso, request_id
from wire import Response

ACCOUNT = "123456789012"
VERSIONS = {"ec2": "2016-11-15", "sts": "2011-06-15"}
TARGETS = {"AmazonSSM": "ssm", "AmazonEC2ContainerRegistry_V20150921": "ecr"}
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
SESSION = re.compile(r"[\w+=,.@-]{2,64}")


class Denied(Exception):
    """status, code, message"""


class Services:
    def __init__(self, region, keys):
        self.region, self.keys, self.lock = region, keys, threading.Lock()
        self.reset()

    def reset(self):
        self.items, self.clusters, self.roles, self.web_tokens = 100, {}, {}, {"web-identity-token"}
        self.cluster_calls = {}

    def configure(self, given):
        """items: of each paged list; clusters: name -> states, one for each call, the last one stays;
        roles: arn -> {external_id}; web_tokens: those that are good"""
        self.items = given.get("items", self.items)
        self.clusters.update(given.get("clusters", {}))
        self.roles.update(given.get("roles", {}))
        self.web_tokens |= set(given.get("web_tokens", ()))

    # --- pages --------------------------------------------------------------------------------------------------------

    def page(self, token, limit, lowest, highest, default):
        """start, end and the next token; a token is good only as it was given out"""
        if limit is not None:
            if not re.fullmatch(r"\d{1,6}", str(limit)) or not lowest <= int(limit) <= highest:
                raise Denied(400, "InvalidParameterValue", f"MaxResults must be between {lowest} and {highest}")
        size, start = int(limit or default), 0
        if token is not None:
            try:
                start = int(base64.b64decode(token, validate=True).decode().removeprefix("item-"))
            except ValueError:
                raise Denied(400, "InvalidNextToken", "The token is invalid") from None
        end = min(start + size, self.items)
        return start, end, base64.b64encode(b"item-%d" % end).decode() if end < self.items else None

    # --- sts ----------------------------------------------------------------------------------------------------------

    def make_key(self, until, arn):
        key = {"secret": secrets.token_urlsafe(30)[:40], "token": "FakeToken/" + secrets.token_urlsafe(60), "expires": until, "arn": arn}
        name = "ASIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
        self.keys[name] = key
        return name, key

    def _credentials(self, form, now, role, session):
        seconds = form.get("DurationSeconds", "3600")
        if not re.fullmatch(r"\d+", seconds) or not 900 <= int(seconds) <= 43200:
            raise Denied(400, "ValidationError", "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint")
        key_arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rsplit('/', 1)[1]}/{session}"
        name, key = self.make_key(now + int(seconds), key_arn)
        return ("<Credentials>" + element("AccessKeyId", name) + element("SecretAccessKey", key["secret"])
                + element("SessionToken", key["token"]) + element("Expiration", iso(now + int(seconds))) + "</Credentials>"
                "<AssumedRoleUser>" + element("AssumedRoleId", "AROAFAKE:" + session) + element("Arn", key_arn) + "</AssumedRoleUser>")

    def _role_of(self, form):
        role, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
        if not ROLE.fullmatch(role) or not SESSION.fullmatch(session):
            raise Denied(400, "ValidationError", f"1 validation error detected: RoleArn '{role}' or RoleSessionName '{session}' is invalid")
        known = self.roles.get(role, {} if not self.roles else None)
        if known is None or known.get("external_id") != form.get("ExternalId"):
            raise Denied(403, "AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {role}")
        return role, session

    def sts_get_caller_identity(self, form, proof, now):
        return (element("Arn", proof.key.get("arn", f"arn:aws:iam::{ACCOUNT}:user/test")) + element("UserId", "AIDAFAKE")
                + element("Account", ACCOUNT))

    def sts_assume_role(self, form, proof, now):
        return self._credentials(form, now, *self._role_of(form))

    def sts_assume_role_with_web_identity(self, form, proof, now):
        role, session = self._role_of(form)
        if form.get("WebIdentityToken") not in self.web_tokens:
            raise Denied(400, "InvalidIdentityToken", "The web identity token that was passed could not be validated.")
        return self._credentials(form, now, role, session) + element("Provider", "arn:aws:iam::fake") + element("Audience", "sts.amazonaws.com")

    # --- ec2 ----------------------------------------------------------------------------------------------------------

    def ec2_describe_instances(self, form, proof, now):
        start, end, token = self.page(form.get("NextToken"), form.get("MaxResults"), 5, 1000, 1000)
        items = "".join(
            f"<item><reservationId>r-{i:017x}</reservationId><ownerId>{ACCOUNT}</ownerId><groupSet/><instancesSet><item>"
            f"<instanceId>i-{i:017x}</instanceId><imageId>ami-0123456789abcdef0</imageId><instanceState><code>16</code><name>running</name>"
            f"</instanceState><privateDnsName>ip-10-0-{i // 256 % 256}-{i % 256}.ec2.internal</privateDnsName><instanceType>p5.48xlarge"
            f"</instanceType><launchTime>2026-01-02T03:04:05.000Z</launchTime><placement><availabilityZone>{self.region}a</availabilityZone>"
            f"<tenancy>default</tenancy></placement><privateIpAddress>10.0.{i // 256 % 256}.{i % 256}</privateIpAddress><tagSet><item>"
            f"<key>Name</key><value>node &amp; {i}</value></item></tagSet><ebsOptimized>true</ebsOptimized></item></instancesSet></item>"
            for i in range(start, end))
        return f"<reservationSet>{items}</reservationSet>" + (element("nextToken", token) if token else "")

    def ec2_describe_subnets(self, form, proof, now):
        start, end, token = self.page(form.get("NextToken"), form.get("MaxResults"), 5, 1000, 1000)
        items = "".join(
            f"<item><subnetId>subnet-{i:017x}</subnetId><state>available</state><vpcId>vpc-00000000000000001</vpcId><cidrBlock>10."
            f"{i // 256 % 256}.{i % 256}.0/24</cidrBlock><availableIpAddressCount>{i}</availableIpAddressCount><availabilityZone>{self.region}a"
            "</availabilityZone><defaultForAz>false</defaultForAz><tagSet/></item>" for i in range(start, end))
        return f"<subnetSet>{items}</subnetSet>" + (element("nextToken", token) if token else "")

    # --- ssm, ecr -----------------------------------------------------------------------------------------------------

    def ssm_describe_parameters(self, given, now):
        start, end, token = self.page(given.get("NextToken"), given.get("MaxResults"), 1, 50, 50)
        items = [{"Name": f"/fake/{i}", "Type": "String", "Version": i + 1, "LastModifiedDate": 1767323045.25} for i in range(start, end)]
        return dict({"Parameters": items}, **({"NextToken": token} if token else {}))

    def ssm_get_parameter(self, given, now):
        match = re.fullmatch(r"/fake/(\d+)", given.get("Name", ""))
        if not match or int(match[1]) >= self.items:
            raise Denied(400, "ParameterNotFound", "")
        return {"Parameter": {"Name": given["Name"], "Type": "String", "Value": f"value {match[1]}", "Version": int(match[1]) + 1}}

    def ecr_get_authorization_token(self, given, now):
        token = base64.b64encode(b"AWS:" + secrets.token_urlsafe(300).encode()).decode()
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": now + 43200,
                                       "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{self.region}.amazonaws.com"}]}

    # --- the protocols ------------------------------------------------------------------------------------------------

    @staticmethod
    def form_of(request):
        """The parameters of a query call, from the body or the URL; None if the encoding is wrong."""
        if request.method == "GET":
            text = request.query
        elif request.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
            return None
        else:
            text = request.body.bytes().decode("latin-1")
        form = {}
        for pair in text.split("&") if text else []:
            name, _, value = pair.partition("=")
            name = unquote_plus(name)
            if name in form:
                return None
            form[name] = unquote_plus(value)
        return form

    def query(self, request, service, proof, now, operation):
        protocol = "ec2" if service == "ec2" else "query"
        form = self.form_of(request)
        try:
            if form is None:
                raise Denied(400, "MalformedInput", "The body is no form, its Content-Type is not application/x-www-form-urlencoded, or a "
                             "parameter is there twice")
            method = getattr(self, service + re.sub(r"([A-Z])", r"_\1", operation).lower(), None)
            if form.get("Version") != VERSIONS[service] or method is None:
                raise Denied(400, "InvalidAction", f"The action {operation} is not valid for this web service.")
            inner = method(form, proof, now)
        except Denied as d:
            return error(protocol, *d.args)
        number = request_id()
        if service == "ec2":
            text = (f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">\n'
                    f"    {element('requestId', number)}\n{inner}</{operation}Response>")
            return Response(200, text.encode(), [("Content-Type", "text/xml;charset=UTF-8"), ("x-amzn-RequestId", number)])
        text = (f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <{operation}Result>{inner}</{operation}Result>\n'
                f"  <ResponseMetadata>{element('RequestId', number)}</ResponseMetadata>\n</{operation}Response>\n")
        return Response(200, text.encode(), [("Content-Type", "text/xml"), ("x-amzn-RequestId", number)])

    def json(self, request, service, operation, now):
        try:
            if request.method != "POST" or request.path != "/" or request.get("content-type") != "application/x-amz-json-1.1":
                raise Denied(400, "UnknownOperationException", "POST / of application/x-amz-json-1.1 is needed")
            method = getattr(self, service + re.sub(r"([A-Z])", r"_\1", operation).lower(), None)
            if method is None:
                raise Denied(400, "UnknownOperationException", "")
            try:
                given = json.loads(request.body.bytes())
            except ValueError:
                raise Denied(400, "SerializationException", "the body is no JSON") from None
            if not isinstance(given, dict):
                raise Denied(400, "SerializationException", "the body is no object")
            answer = method(given, now)
        except Denied as d:
            return error("json", *d.args)
        return Response(200, json.dumps(answer).encode(), [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", request_id())])

    def eks(self, request, operation, now):
        try:
            answer = self._eks(request, operation)
        except Denied as d:
            return error("rest-json", *d.args)
        return Response(200, json.dumps(answer).encode(), [("Content-Type", "application/json"), ("x-amzn-RequestId", request_id())])

    def _eks(self, request, operation):
        if operation == "ListClusters":
            query = {}
            for pair in request.query.split("&") if request.query else []:
                name, _, value = pair.partition("=")
                query[unquote(name)] = unquote_plus(value)
            names = sorted(self.clusters)
            limit = query.get("maxResults", "100")
            if not re.fullmatch(r"\d{1,3}", limit) or not 1 <= int(limit) <= 100:
                raise Denied(400, "InvalidParameterException", "maxResults must be between 1 and 100")
            start = names.index(query["nextToken"]) if query.get("nextToken") in names else 0 if "nextToken" not in query else None
            if start is None:
                raise Denied(400, "InvalidParameterException", "nextToken is invalid")
            end = start + int(limit)
            return {"clusters": names[start:end], "nextToken": names[end] if end < len(names) else None}
        if operation != "DescribeCluster":
            raise Denied(404, "UnknownOperationException", "")
        name = unquote(request.path[len("/clusters/"):])
        if name not in self.clusters:
            raise Denied(404, "ResourceNotFoundException", f"No cluster found for name: {name}.")
        with self.lock:
            n = self.cluster_calls[name] = self.cluster_calls.get(name, 0) + 1
        states = self.clusters[name]
        state = states[min(n, len(states)) - 1]
        return {"cluster": {"name": name, "arn": f"arn:aws:eks:{self.region}:{ACCOUNT}:cluster/{name}", "status": state, "version": "1.33",
                            "createdAt": 1767323045.5, "endpoint": f"https://{name}.fake.eks.amazonaws.com",
                            "certificateAuthority": {"data": "ZmFrZQ=="}, "tags": {"made by": "the fake"}}}
