"""boto_client.py - botocore as the client of the fake: what it must take from AWS's own signer, and what it must refuse.

usage: boto_client.py URL TLS_URL CA ACCESS_KEY SECRET
Writes one JSON object: what each try came to.
"""
import io
import json
import sys
import urllib.error
import urllib.request

import botocore.auth
import botocore.exceptions
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

url, tls, ca, access_key, secret = sys.argv[1:6]
session = botocore.session.Session()


def client(service, endpoint=url, key=secret, **config):
    return session.create_client(
        service, region_name="us-east-1", endpoint_url=endpoint, aws_access_key_id=access_key, aws_secret_access_key=key,
        verify=ca, config=Config(signature_version="s3v4" if service == "s3" else "v4", retries={"total_max_attempts": 1},
                                 s3={"addressing_style": "path"}, **config))


def outcome(call):
    try:
        return call()
    except ClientError as e:
        return [e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]["Code"]]


def fetch(target, data=None, method="GET", headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(target, data, headers or {}, method=method), timeout=10) as r:
            return [r.status, r.read().decode()]
    except urllib.error.HTTPError as e:
        text = e.read().decode()
        return [e.code, text.partition("<Code>")[2].partition("</Code>")[0] or text]


def tampered():
    """Signed over one body, sent with another of the same length."""
    request = AWSRequest("POST", url + "/", data=b"Action=GetCallerIdentity&Version=2011-06-15",
                         headers={"Content-Type": "application/x-www-form-urlencoded"})
    botocore.auth.SigV4Auth(Credentials(access_key, secret), "sts", "us-east-1").add_auth(request)
    return fetch(url + "/", b"Action=GetCallerIdentity&Version=2011-06-16", "POST", dict(request.headers))


def at(offset, call):
    """The call with a clock that is wrong by so many seconds."""
    import datetime
    real = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *a, **k: real(*a, **k) + datetime.timedelta(seconds=offset)
    try:
        return outcome(call)
    finally:
        botocore.auth.get_current_datetime = real


sts, ec2, s3, s3_tls = client("sts"), client("ec2"), client("s3"), client("s3", tls)
made = {}
s3.create_bucket(Bucket="bucket")
made["account"] = sts.get_caller_identity()["Account"]
made["post"] = len(ec2.describe_instances(MaxResults=10)["Reservations"])
made["pages"] = sum(len(p["Subnets"]) for p in ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 7}))
made["parameters"] = sum(len(p["Parameters"]) for p in client("ssm").get_paginator("describe_parameters").paginate())
made["clusters"] = client("eks").list_clusters()["clusters"]
made["ecr"] = len(client("ecr").get_authorization_token()["authorizationData"])
made["assumed"] = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="me")["Credentials"]["AccessKeyId"][:4]

key, data = "a key/with ünicode & +plus/./../x", b"0123456789" * 300000
made["put"] = s3.put_object(Bucket="bucket", Key=key, Body=data)["ETag"]
made["get"] = s3.get_object(Bucket="bucket", Key=key)["Body"].read() == data
made["range"] = s3.get_object(Bucket="bucket", Key=key, Range="bytes=5-14")["Body"].read().decode()
for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA256", "SHA1"):
    try:
        made["trailer " + algorithm] = s3_tls.put_object(Bucket="bucket", Key="t", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)["ETag"]
    except botocore.exceptions.MissingDependencyException:
        pass
made["list"] = [o["Key"] for o in s3.list_objects_v2(Bucket="bucket")["Contents"]]
made["deleted"] = len(s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "t"}, {"Key": "none"}]})["Deleted"])
made["presigned get"] = fetch(s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": key}))[1] == data.decode()
put = s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "p"})
made["presigned put"] = fetch(put, b"hello", "PUT", {"Content-Type": ""})[0]
made["presigned, other key"] = fetch(put.replace("/bucket/p?", "/bucket/q?"), b"hello", "PUT", {"Content-Type": ""})
made["presigned, too old"] = fetch(at(-4000, lambda: s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "p"})))
made["if-none-match"] = outcome(lambda: s3.put_object(Bucket="bucket", Key="p", Body=b"x", IfNoneMatch="*"))
made["wrong secret"] = {n: outcome(lambda n=n, f=f: f(client(n, key="wrong")))
                        for n, f in {"sts": lambda c: c.get_caller_identity(), "ec2": lambda c: c.describe_subnets(),
                                     "ssm": lambda c: c.describe_parameters(), "eks": lambda c: c.list_clusters(),
                                     "s3": lambda c: c.list_buckets()}.items()}
calls = {"sts": sts.get_caller_identity, "ec2": ec2.describe_subnets, "ssm": client("ssm").describe_parameters,
         "eks": client("eks").list_clusters, "s3": s3.list_buckets}
for minutes in (4, 6, 14, 16):
    made[f"{minutes} min"] = {n: [at(sign * minutes * 60, lambda f=f: [f()["ResponseMetadata"]["HTTPStatusCode"]])
                                  for sign in (-1, 1)] for n, f in calls.items()}
made["tampered"] = tampered()
json.dump(made, sys.stdout)
