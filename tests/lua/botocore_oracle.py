"""Signs the requests of a JSON list on standard input as botocore does, and writes what it made as a JSON list."""
import base64
import datetime
import io
import json
import sys
import types

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum

SIGNERS = {
    ("headers", False): auth.SigV4Auth,
    ("headers", True): auth.S3SigV4Auth,
    ("presign", False): auth.SigV4QueryAuth,
    ("presign", True): auth.S3SigV4QueryAuth,
    ("stream", True): auth.S3SigV4Auth,
}


def set_clock(seconds):
    now = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    if hasattr(auth, "get_current_datetime"):
        auth.get_current_datetime = lambda *_, **__: now
    else:
        frozen = type("Frozen", (datetime.datetime,), {"utcnow": classmethod(lambda _: now)})
        auth.datetime = type("datetime", (), {"datetime": frozen})


def sign(case):
    set_clock(case["time"])
    s3 = case["service"] == "s3"
    request = AWSRequest(method=case["method"], url=case["url"], data=case["body"].encode())
    for name, value in case["headers"]:
        request.headers[name] = value
    made = {}
    if case["form"] == "stream":
        wrapper = AwsChunkedWrapper(io.BytesIO(case["body"].encode()), checksum_cls=Crc32Checksum,
                                    checksum_name="x-amz-checksum-crc32", chunk_size=case["chunk"])
        made["body"] = base64.b64encode(wrapper.read()).decode()
        request.context["checksum"] = {"request_algorithm": {"in": "trailer", "name": "x-amz-checksum-crc32"}}
    if case.get("unsigned"):
        request.context["payload_signing_enabled"] = False
        request.context["client_config"] = types.SimpleNamespace(s3={"payload_signing_enabled": False})
    credentials = Credentials(case["access_key"], case["secret"], case.get("token"))
    more = {"expires": case["expires"]} if case["form"] == "presign" else {}
    signer = SIGNERS[case["form"], s3](credentials, case["service"], case["region"], **more)
    canonical = []
    original = signer.canonical_request

    def keep(made_of):
        canonical.append(original(made_of))
        return canonical[-1]

    signer.canonical_request = keep
    signer.add_auth(request)
    made.update(canonical=canonical[0], url=request.url, authorization=request.headers.get("Authorization"))
    return made


json.dump([sign(case) for case in json.load(sys.stdin)], sys.stdout)
