"""cloud_oracle.py - boto3 as the client of tests/peers/aws/cloud: one scenario, what came of it as JSON

usage: cloud_oracle.py URL SCENARIO
"""
import json
import sys
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

url, scenario = sys.argv[1:3]


def client(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
                        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))


cf, ec2, s3 = client("cloudformation"), client("ec2"), client("s3")
with open("templates/vpc/vpc.yaml") as f:
    VPC = f.read()
with open("templates/s3/bucket.yaml") as f:
    BUCKET = f.read()


def control(**what):
    request = urllib.request.Request(url + "/_control", json.dumps(what).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def refusal(call, **arguments):
    """The error's code and words."""
    try:
        call(**arguments)
    except ClientError as e:
        return [e.response["Error"]["Code"], e.response["Error"]["Message"]]
    except BotoCoreError as e:
        return [type(e).__name__]
    return None


def given(**values):
    return [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()]


def vpc_parameters(zones, public, **more):
    names = [f"us-east-1{x}" for x in "abcdef"[:zones]]
    blocks = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"][:(zones + 1) // 2]
    return given(**{"Name": "net", "Zones": ",".join(names), "ZoneCount": str(zones), "VpcCidr": "10.0.0.0/16", "MoreCidrs": ",".join(blocks),
                    "PublicCidrs": ",".join(f"10.0.{16 * i}.0/20" for i in range(zones)),
                    "PrivateCidrs": ",".join(f"10.{1 + i // 2}.{128 * (i % 2)}.0/17" for i in range(zones)), "PublicSubnets": public, **more})


def settled(stack):
    while True:
        found = cf.describe_stacks(StackName=stack)["Stacks"][0]
        if not found["StackStatus"].endswith("_IN_PROGRESS"):
            return found
        time.sleep(0.02)


def plan(stack, name, kind, template, parameters, **more):
    more = {"Capabilities": ["CAPABILITY_IAM"], **more}
    cf.create_change_set(StackName=stack, ChangeSetName=name, ChangeSetType=kind, TemplateBody=template, Parameters=parameters, **more)
    while True:
        found = cf.describe_change_set(StackName=stack, ChangeSetName=name, IncludePropertyValues=True)
        if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
            return found
        time.sleep(0.02)


def deploy(stack, name, kind, template, parameters, token="t", **more):
    plan(stack, name, kind, template, parameters, **more)
    cf.execute_change_set(StackName=stack, ChangeSetName=name, ClientRequestToken=token)
    return settled(cf.describe_stacks(StackName=stack)["Stacks"][0]["StackId"])


def remove(stack):
    number = cf.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
    cf.delete_stack(StackName=stack, ClientRequestToken="gone")
    return settled(number)


def events(stack, token=None):
    found = [e for page in cf.get_paginator("describe_stack_events").paginate(StackName=stack) for e in page["StackEvents"]]
    return [[e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")] for e in reversed(found)
            if not token or e.get("ClientRequestToken") == token]


def outcome(stack):
    return stack["StackStatus"]


def left():
    """What of EC2's and IAM's is there beside the default VPC."""
    vpcs = [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]]
    return {"vpcs": len(vpcs), "addresses": len(ec2.describe_addresses()["Addresses"]), "roles": len(client("iam").list_roles()["Roles"]),
            "gateways": len([g for g in ec2.describe_nat_gateways()["NatGateways"] if g["State"] != "deleted"]),
            "interfaces": len(ec2.describe_network_interfaces()["NetworkInterfaces"]),
            "logs": len(client("logs").describe_log_groups()["logGroups"]), "buckets": len(s3.list_buckets()["Buckets"])}


def drifted(stack):
    number = cf.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    while (d := cf.describe_stack_drift_detection_status(StackDriftDetectionId=number))["DetectionStatus"] == "DETECTION_IN_PROGRESS":
        time.sleep(0.02)
    found = cf.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
    return [d.get("StackDriftStatus"), {r["LogicalResourceId"]: [r["StackResourceDriftStatus"], [p["PropertyPath"] for p in r["PropertyDifferences"]]]
                                        for r in found if r["StackResourceDriftStatus"] != "IN_SYNC"}]


# --- scenarios --------------------------------------------------------------------------------------------------------


def forms():
    """Both templates in every form: how they end, what is live, and what stays."""
    found = []
    for zones in range(1, 7):
        for public in ("true", "false"):
            made = deploy("net", "c", "CREATE", VPC, vpc_parameters(zones, public), Tags=[{"Key": "run", "Value": "r1"}])
            outputs = {o["OutputKey"]: o["OutputValue"] for o in made.get("Outputs", ())}
            of = [{"Name": "vpc-id", "Values": [outputs["Vpc"]]}]
            subnets = ec2.describe_subnets(Filters=of)["Subnets"]
            group = ec2.describe_security_groups(GroupIds=[outputs["SecurityGroup"]])["SecurityGroups"][0]
            tables = ec2.describe_route_tables(RouteTableIds=[outputs["PrivateRouteTable"]])["RouteTables"][0]
            # Ids are chosen at random; what is compared is the shape.
            found.append({
                "zones": zones, "public": public, "status": made["StackStatus"], "subnets": len(subnets),
                "private": len(outputs["PrivateSubnets"].split(",")), "public_subnets": len(outputs.get("PublicSubnets", "").split(",")) if
                "PublicSubnets" in outputs else 0, "blocks": len(ec2.describe_vpcs(VpcIds=[outputs["Vpc"]])["Vpcs"][0]["CidrBlockAssociationSet"]),
                "in_itself": [p["IpProtocol"] for p in group["IpPermissions"] for x in p["UserIdGroupPairs"] if x["GroupId"] == group["GroupId"]],
                "out_itself": [p["IpProtocol"] for p in group["IpPermissionsEgress"] for x in p["UserIdGroupPairs"]
                               if x["GroupId"] == group["GroupId"]],
                "nat_routes": len([r for r in tables["Routes"] if "NatGatewayId" in r]),
                "tagged": all({"Key": "run", "Value": "r1"} in s["Tags"] and any(t["Key"] == "aws:cloudformation:logical-id" for t in s["Tags"])
                              for s in subnets), "drift": drifted("net"), "removed": outcome(remove("net"))})
    for versions in ("true", "false"):
        made = deploy("data", "c", "CREATE", BUCKET, given(BucketName="adt-data-1", Versions=versions))
        found.append({"status": made["StackStatus"], "versions": s3.get_bucket_versioning(Bucket="adt-data-1").get("Status", "none"),
                      "policy": "aws:SecureTransport" in s3.get_bucket_policy(Bucket="adt-data-1")["Policy"], "drift": drifted("data"),
                      "removed": outcome(remove("data"))})
    return {"forms": found, "left": left()}


def failures():
    """A resource fails in the middle: rolled back, kept, deleted; in an update."""
    control(fail=[{"resource": "NatGateway", "reason": "No gateway for you"}], page=7)
    rolled = outcome(deploy("net", "c", "CREATE", VPC, vpc_parameters(2, "true"), "t1"))
    said, after = events("net", "t1"), left()
    dead = refusal(cf.create_change_set, StackName="net", ChangeSetName="c2", TemplateBody=VPC, Parameters=vpc_parameters(2, "true"),
                   Capabilities=["CAPABILITY_IAM"])
    remove("net")
    control(fail=[{"resource": "EfaIn"}])
    kept = outcome(deploy("kept", "c", "CREATE", VPC, vpc_parameters(1, "false"), OnStackFailure="DO_NOTHING"))
    unkept = outcome(remove("kept"))
    deleted = outcome(deploy("gone", "c", "CREATE", VPC, vpc_parameters(1, "false"), OnStackFailure="DELETE"))
    control(fail=[])
    deploy("net", "c", "CREATE", VPC, vpc_parameters(2, "false"))
    control(fail=[{"resource": "PublicSubnet3", "count": 1}])
    back = outcome(deploy("net", "c2", "UPDATE", VPC, vpc_parameters(3, "true"), "t2"))
    backed = [e for e in events("net", "t2") if e[0] == "net" or e[1].endswith("FAILED")]
    drift = drifted("net")
    forward = outcome(deploy("net", "c3", "UPDATE", VPC, vpc_parameters(3, "true"), "t3"))
    shrunk = outcome(deploy("net", "c4", "UPDATE", VPC, vpc_parameters(1, "false"), "t4"))
    end = outcome(remove("net"))
    return {"rolled": rolled, "events": said, "after": after, "dead": dead, "kept": kept, "unkept": unkept, "deleted": deleted, "back": back,
            "backed": backed, "drift": drift, "forward": forward, "shrunk": shrunk, "end": end, "left": left()}


def change_sets():
    """What change sets show, and repeat, and refuse."""
    def shown(found):
        return [[c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"], c["ResourceChange"].get("Replacement", ""),
                 [[d["Target"].get("Name", "Tags"), d["Target"].get("BeforeValue", ""), d["Target"].get("AfterValue", ""), d["ChangeSource"]]
                  for d in c["ResourceChange"]["Details"]]] for c in found["Changes"]]

    bucket = given(BucketName="adt-data-2", Versions="true")
    control(pace=30)
    create = {"StackName": "data", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": BUCKET, "Parameters": bucket, "ClientToken": "k"}
    ids = [cf.create_change_set(**create)["Id"] for _ in range(2)]
    pending = cf.describe_change_set(StackName="data", ChangeSetName="c")["Status"]
    review = cf.describe_stacks(StackName="data")["Stacks"][0]["StackStatus"]
    again = refusal(cf.create_change_set, **{**create, "ClientToken": "other"})
    early = refusal(cf.execute_change_set, StackName="data", ChangeSetName="c")
    while cf.describe_change_set(StackName="data", ChangeSetName="c")["ExecutionStatus"] != "AVAILABLE":
        time.sleep(0.02)
    for _ in range(2):
        cf.execute_change_set(StackName="data", ChangeSetName="c", ClientRequestToken="x")
    busy = refusal(cf.create_change_set, StackName="data", ChangeSetName="c9", TemplateBody=BUCKET, Parameters=bucket)
    settled("data")
    control(pace=0)
    names = [s["StackName"] for s in cf.describe_stacks()["Stacks"]]
    same = plan("data", "same", "UPDATE", BUCKET, bucket)
    off = shown(plan("data", "off", "UPDATE", BUCKET, given(BucketName="adt-data-2", Versions="false")))
    other = shown(plan("data", "other", "UPDATE", BUCKET, given(BucketName="adt-data-3", Versions="true")))
    tags = shown(plan("data", "tags", "UPDATE", BUCKET, bucket, Tags=[{"Key": "a", "Value": "b"}]))
    listed = [c["ChangeSetName"] for c in cf.list_change_sets(StackName="data")["Summaries"]]
    cf.delete_change_set(StackName="data", ChangeSetName="tags")
    lost = refusal(cf.describe_change_set, StackName="data", ChangeSetName="tags")
    update = refusal(cf.update_stack, StackName="data", TemplateBody=BUCKET, Parameters=bucket)
    exists = refusal(cf.create_change_set, **{**create, "ChangeSetName": "c8"})
    replaced = [outcome(deploy("data", "move", "UPDATE", BUCKET, given(BucketName="adt-data-3", Versions="true"))),
                [b["Name"] for b in s3.list_buckets()["Buckets"]]]
    return {"ids": len(set(ids)), "pending": pending, "review": review, "again": again, "early": early, "busy": busy, "names": names,
            "same": [same["Status"], same["StatusReason"]], "off": off, "other": other, "tags": tags, "listed": listed, "lost": lost,
            "update": update, "exists": exists, "replaced": replaced}


def refusals():
    """What is refused, in AWS's words, before anything is made."""
    found, net = {}, vpc_parameters(1, "true")

    def create(template, parameters=(), **more):
        return refusal(cf.create_change_set, StackName="no", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=template,
                       Parameters=list(parameters), **more)

    found["capability"] = create(VPC, net)
    found["yaml"] = create("Resources: [\n")
    found["json"] = create('{"Resources": ')
    found["empty"] = create("Resources: {}")
    found["type"] = create("Resources: {A: {Type: 'AWS::EC2::Nonsense'}}")
    found["reference"] = create("Resources: {A: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: !Ref Nope}}}")
    found["attribute"] = create("Resources: {A: {Type: 'AWS::EC2::VPC'}, B: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !GetAtt A.Nope}}}")
    found["circle"] = create("Resources: {A: {Type: 'AWS::EC2::VPC', DependsOn: B}, B: {Type: 'AWS::EC2::VPC', DependsOn: A}}")
    found["missing"] = create(BUCKET)
    found["unknown"] = create(BUCKET, given(BucketName="adt-data", Colour="red"))
    found["value"] = create(BUCKET, given(BucketName="adt-data", Versions="perhaps"))
    found["pattern"] = create(BUCKET, given(BucketName="ADT"))
    found["stacks"] = len(cf.describe_stacks()["Stacks"])
    large = "#" * 60000 + "\n" + BUCKET
    found["large"] = create(large, given(BucketName="adt-data"))[1][-80:]
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="a b/t.yaml", Body=large.encode())
    found["by_url"] = cf.get_template_summary(TemplateURL=url + "/templates/a%20b/t.yaml")["Description"]
    found["no_url"] = refusal(cf.validate_template, TemplateURL=url + "/templates/none.yaml")[1][:29]
    zones = plan("zoned", "c", "CREATE", VPC, vpc_parameters(1, "true", Zones="us-east-1z"))
    found["zone"] = [zones["Status"], zones["StatusReason"]]
    cf.delete_stack(StackName="zoned")
    found["nameless"] = refusal(cf.describe_stacks, StackName="nobody")
    found["eventless"] = refusal(cf.describe_stack_events, StackName="nobody")
    bad = deploy("bad", "c", "CREATE", "Resources: {A: {Type: 'AWS::EC2::VPC', Properties: {Cidr: 10.0.0.0/16}}}", [])
    found["property"] = [bad["StackStatus"], [e for e in events("bad") if e[1] == "CREATE_FAILED"]]
    remove("bad")
    return found


def deletions():
    """What stands in the way of an end."""
    deploy("net", "c", "CREATE", VPC, vpc_parameters(1, "true"))
    outputs = {o["OutputKey"]: o["OutputValue"] for o in cf.describe_stacks(StackName="net")["Stacks"][0]["Outputs"]}
    planted = control(interface={"subnet": outputs["PrivateSubnets"], "groups": [outputs["SecurityGroup"]], "type": "efa",
                                 "description": "ELB app/x", "requester": "amazon-elb"})["id"]
    seen = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [outputs["PrivateSubnets"]]}])["NetworkInterfaces"][0]
    cf.update_termination_protection(StackName="net", EnableTerminationProtection=True)
    protected = refusal(cf.delete_stack, StackName="net")
    cf.update_termination_protection(StackName="net", EnableTerminationProtection=False)
    stuck = remove("net")
    why = [e for e in events("net") if e[1] == "DELETE_FAILED"]
    control(remove_interface=planted)
    gone = remove("net")
    deploy("data", "c", "CREATE", BUCKET, given(BucketName="adt-data-4"))
    s3.put_object(Bucket="adt-data-4", Key="k", Body=b"v")
    full = [outcome(remove("data")), [e for e in events("data") if e[1] == "DELETE_FAILED"]]
    s3.delete_object(Bucket="adt-data-4", Key="k")
    return {"protected": protected, "stuck": outcome(stuck), "why": why, "gone": outcome(gone), "by_id": bool(gone["DeletionTime"]), "full": full,
            "seen": [seen["NetworkInterfaceId"] == planted, seen["InterfaceType"], seen["Description"], seen["RequesterId"]],
            "end": outcome(remove("data")), "left": left()}


def drift():
    """What was changed behind the stack's back."""
    deploy("net", "c", "CREATE", VPC, vpc_parameters(1, "false"))
    deploy("data", "c", "CREATE", BUCKET, given(BucketName="adt-data-5"))
    before = [drifted("net"), drifted("data")]
    vpc, group = (cf.describe_stack_resource(StackName="net", LogicalResourceId=x)["StackResourceDetail"]["PhysicalResourceId"]
                  for x in ("Vpc", "EfaGroup"))
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group, "Description": "From its members"}]}
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    s3.delete_public_access_block(Bucket="adt-data-5")
    s3.delete_bucket_policy(Bucket="adt-data-5")
    return {"before": before, "after": [drifted("net"), drifted("data")]}


def nested():
    """A stack in a stack: its events, its outputs, its failure, its end."""
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="bucket.yaml", Body=BUCKET.encode())
    outer = json.dumps({"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {
        "TemplateURL": url + "/templates/bucket.yaml", "Parameters": {"BucketName": "adt-data-7"}}}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.BucketArn"]}}}})
    made = deploy("outer", "c", "CREATE", outer, [], "t1")
    initiated = next(e for e in cf.describe_stack_events(StackName="outer")["StackEvents"] if e.get("ResourceStatusReason") ==
                     "Resource creation Initiated")
    inner = cf.describe_stacks(StackName=initiated["PhysicalResourceId"])["Stacks"][0]
    first = [made["StackStatus"], made["Outputs"][0]["OutputValue"], inner["ParentId"] == made["StackId"], len(events(inner["StackId"], "t1"))]
    end = [outcome(remove("outer")), outcome(settled(inner["StackId"]))]
    control(fail=[{"resource": "OnlyByTls", "reason": "No policy for you"}])
    failed = outcome(deploy("outer", "c", "CREATE", outer, []))
    why = [e for e in events("outer") if e[1] == "CREATE_FAILED"]
    return {"first": first, "end": end, "failed": failed, "why": why, "buckets": [b["Name"] for b in s3.list_buckets()["Buckets"]]}


def limits():
    """Quotas, capacity, offers, and bad days."""
    quotas, found = client("service-quotas"), {}
    control(quotas={"L-F678F1CE": 2, "L-0263D0A3": 0})
    found["quotas"] = [quotas.get_service_quota(ServiceCode=s, QuotaCode=c)["Quota"]["Value"]
                       for s, c in (("vpc", "L-F678F1CE"), ("ec2", "L-0263D0A3"))]
    found["addresses"] = [deploy("net", "c", "CREATE", VPC, vpc_parameters(1, "true"))["StackStatus"],
                          [e[0] for e in events("net") if "maximum number of addresses" in e[2]]]
    remove("net")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    found["vpcs"] = refusal(ec2.create_vpc, CidrBlock="10.0.0.0/16")
    control(offers={"p5.48xlarge": ["us-east-1c"]}, reservations=[{"CapacityReservationId": "cr-1", "InstanceType": "p5.48xlarge"}],
            blocks=[{"CapacityBlockOfferingId": "cb-1", "InstanceType": "p5.48xlarge", "InstanceCount": 2, "UpfrontFee": "10.5"}])
    found["offers"] = [o["Location"] for o in ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[
        {"Name": "instance-type", "Values": ["p5.48xlarge"]}])["InstanceTypeOfferings"]]
    found["reservations"] = [r["CapacityReservationId"] for r in ec2.describe_capacity_reservations()["CapacityReservations"]]
    found["blocks"] = [[len(ec2.describe_capacity_block_offerings(InstanceType="p5.48xlarge", CapacityDurationHours=24, InstanceCount=n)[
        "CapacityBlockOfferings"])] for n in (1, 2)]
    found["zones"] = [len(z["ZoneId"]) > 0 for z in ec2.describe_availability_zones()["AvailabilityZones"]]
    control(fault="throttle", operation="DescribeStackEvents", count=1)
    deploy("data", "c", "CREATE", BUCKET, given(BucketName="adt-data-6"))
    found["throttled"] = [refusal(cf.describe_stack_events, StackName="data"), len(events("data")) > 5]
    control(cut=1)
    found["cut"] = [refusal(cf.describe_stacks), refusal(cf.describe_stacks)]
    control(expired=True)
    found["expired"] = [refusal(call)[0] for call in (cf.describe_stacks, ec2.describe_vpcs, s3.list_buckets, client("sts").get_caller_identity)]
    control(expired=False)
    found["fresh"] = len(cf.describe_stacks()["Stacks"])
    return found


print(json.dumps({f.__name__: f for f in (forms, failures, change_sets, refusals, deletions, drift, nested, limits)}[scenario]()))
