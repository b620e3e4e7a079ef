"""Signatures a second of CPU by a Python package: sign.py botocore|awscrt [seconds] prints the signature, then the rate."""
import datetime
import io
import sys
import time

URL = "https://ec2.us-east-1.amazonaws.com/"
TYPE = "application/x-www-form-urlencoded; charset=utf-8"
BODY = b"Action=DescribeInstances&Version=2016-11-15"
KEYS = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.timezone.utc)


def by_botocore():
    from botocore import auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    auth.get_current_datetime = lambda *_, **__: NOW.replace(tzinfo=None)
    signer = auth.SigV4Auth(Credentials(*KEYS), "ec2", "us-east-1")

    def once():
        request = AWSRequest(method="POST", url=URL, headers={"Content-Type": TYPE}, data=BODY)
        signer.add_auth(request)
        return request.headers["Authorization"]

    return once


def by_awscrt():
    from awscrt import auth, http

    provider = auth.AwsCredentialsProvider.new_static(*KEYS)

    def once():
        headers = http.HttpHeaders([("Host", "ec2.us-east-1.amazonaws.com"), ("Content-Type", TYPE)])
        request = http.HttpRequest("POST", "/", headers, io.BytesIO(BODY))
        config = auth.AwsSigningConfig(credentials_provider=provider, region="us-east-1", service="ec2", date=NOW)
        return auth.aws_sign_request(request, config).result().headers.get("Authorization")

    return once


def main():
    once = {"botocore": by_botocore, "awscrt": by_awscrt}[sys.argv[1]]()
    limit = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    once()
    count, began, took = 0, time.process_time(), 0
    while took < limit:
        for _ in range(100):
            authorization = once()
        count += 100
        took = time.process_time() - began
    print(authorization.split("Signature=")[1], round(count / took))


main()
