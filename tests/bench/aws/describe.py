"""A describe of all instances by boto3: describe.py ENDPOINT prints how many there are."""
import sys

import boto3

client = boto3.client("ec2", region_name="us-east-1", endpoint_url=sys.argv[1])
pages = client.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 1000})
print(sum(1 for page in pages for r in page["Reservations"] for i in r["Instances"] if i["InstanceId"]))
