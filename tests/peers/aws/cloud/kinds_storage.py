"""kinds_storage.py - buckets and their policies, log groups, roles"""
import json
import uuid

from botocore.exceptions import ClientError
from moto.s3.models import s3_backends

from kinds import ALWAYS, NEVER, Kind, absent, kind


def physical_name(c, limit, lower=False):
    name = f"{c.stack}-{c.logical}-{uuid.uuid4().hex[:12]}"[-limit:]
    return name.lower() if lower else name


def undone(step, undo):
    """A step of a creation; what was made before is unmade should it fail."""
    try:
        step()
    except Exception:
        undo()
        raise


@kind
class Bucket(Kind):  # aws-resource-s3-bucket.html
    type, tagged = "AWS::S3::Bucket", True
    properties = {"BucketName": ALWAYS, "BucketEncryption": NEVER, "LifecycleConfiguration": NEVER, "OwnershipControls": NEVER,
                  "PublicAccessBlockConfiguration": NEVER, "Tags": NEVER, "VersioningConfiguration": NEVER}
    attributes = ("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL")

    def create(self, c, p):
        name = p.get("BucketName") or physical_name(c, 63, True)
        where = {} if c.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": c.region}}
        s3 = c.client("s3")
        try:
            s3.head_bucket(Bucket=name)
        except ClientError:
            s3.create_bucket(Bucket=name, **where)
        else:
            # moto takes the second creation in us-east-1 as S3 does; CloudFormation does not.
            raise ClientError({"Error": {"Code": "BucketAlreadyExists", "Message": f"{name} already exists"}, "ResponseMetadata":
                               {"HTTPStatusCode": 409}}, "CreateBucket")
        undone(lambda: self.set(c, name, p), lambda: s3.delete_bucket(Bucket=name))
        return name, {"Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com",
                      "RegionalDomainName": f"{name}.s3.{c.region}.amazonaws.com",
                      "DualStackDomainName": f"{name}.s3.dualstack.{c.region}.amazonaws.com"}

    def set(self, c, name, p, old=None):
        s3, old = c.client("s3"), old or {}
        # Not by a call: the tags that begin with aws: are refused there, as S3 does.
        s3_backends[c.account]["aws"].put_bucket_tagging(name, {t["Key"]: t["Value"] for t in c.tags(p.get("Tags", ()))})
        if "PublicAccessBlockConfiguration" in p:
            block = {k: str(v).lower() == "true" for k, v in p["PublicAccessBlockConfiguration"].items()}
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        elif "PublicAccessBlockConfiguration" in old:
            s3.delete_public_access_block(Bucket=name)
        if "OwnershipControls" in p:
            s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=p["OwnershipControls"])
        if "BucketEncryption" in p:
            rules = [{("ApplyServerSideEncryptionByDefault" if k == "ServerSideEncryptionByDefault" else k): v for k, v in r.items()}
                     for r in p["BucketEncryption"]["ServerSideEncryptionConfiguration"]]
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
        if "VersioningConfiguration" in p:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": p["VersioningConfiguration"]["Status"]})
        elif "VersioningConfiguration" in old:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
        if "LifecycleConfiguration" in p:
            rules = [_rule(r) for r in p["LifecycleConfiguration"]["Rules"]]
            s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
        elif "LifecycleConfiguration" in old:
            s3.delete_bucket_lifecycle(Bucket=name)

    def update(self, c, physical, old, new):
        self.set(c, physical, new, old)

    def delete(self, c, physical, p):
        s3 = c.client("s3")
        if any(s3.list_object_versions(Bucket=physical, MaxKeys=1).get(k) for k in ("Versions", "DeleteMarkers")):
            words = {"Code": "BucketNotEmpty", "Message": "The bucket you tried to delete is not empty"}
            raise ClientError({"Error": words, "ResponseMetadata": {"HTTPStatusCode": 409}}, "DeleteBucket")
        s3.delete_bucket(Bucket=physical)

    def live(self, c, physical, p):
        s3 = c.client("s3")
        try:
            s3.head_bucket(Bucket=physical)
        except ClientError:
            return None
        live = {}
        if "PublicAccessBlockConfiguration" in p:
            try:
                live["PublicAccessBlockConfiguration"] = s3.get_public_access_block(Bucket=physical)["PublicAccessBlockConfiguration"]
            except ClientError:
                live["PublicAccessBlockConfiguration"] = None
        if "VersioningConfiguration" in p:
            live["VersioningConfiguration"] = {"Status": s3.get_bucket_versioning(Bucket=physical).get("Status", "Suspended")}
        return live


def _rule(r):
    made = {"ID": r.get("Id", uuid.uuid4().hex), "Status": r["Status"], "Filter": {"Prefix": r.get("Prefix", "")}}
    if "AbortIncompleteMultipartUpload" in r:
        made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(r["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])}
    if "ExpirationInDays" in r:
        made["Expiration"] = {"Days": int(r["ExpirationInDays"])}
    if "NoncurrentVersionExpiration" in r:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(r["NoncurrentVersionExpiration"]["NoncurrentDays"])}
    return made


@kind
class BucketPolicy(Kind):  # aws-resource-s3-bucketpolicy.html
    type, properties, required = "AWS::S3::BucketPolicy", {"Bucket": ALWAYS, "PolicyDocument": NEVER}, ("Bucket", "PolicyDocument")

    def create(self, c, p):
        c.client("s3").put_bucket_policy(Bucket=p["Bucket"], Policy=json.dumps(p["PolicyDocument"]))
        return p["Bucket"], {}

    def update(self, c, physical, old, new):
        self.create(c, new)

    def delete(self, c, physical, p):
        c.client("s3").delete_bucket_policy(Bucket=physical)

    def live(self, c, physical, p):
        try:
            return {"PolicyDocument": json.loads(c.client("s3").get_bucket_policy(Bucket=physical)["Policy"])}
        except ClientError:
            return None


@kind
class LogGroup(Kind):  # aws-resource-logs-loggroup.html
    type, tagged = "AWS::Logs::LogGroup", True
    properties = {"DataProtectionPolicy": NEVER, "KmsKeyId": NEVER, "LogGroupClass": NEVER, "LogGroupName": ALWAYS, "RetentionInDays": NEVER,
                  "Tags": NEVER}
    attributes = ("Arn",)

    def create(self, c, p):
        name = p.get("LogGroupName") or physical_name(c, 512)
        c.client("logs").create_log_group(logGroupName=name, tags={t["Key"]: t["Value"] for t in c.tags(p.get("Tags", ()))})
        self.retain(c, name, p)
        return name, {"Arn": f"arn:aws:logs:{c.region}:{c.account}:log-group:{name}:*"}

    def retain(self, c, name, p):
        if "RetentionInDays" in p:
            c.client("logs").put_retention_policy(logGroupName=name, retentionInDays=int(p["RetentionInDays"]))
        else:
            c.client("logs").delete_retention_policy(logGroupName=name)

    def update(self, c, physical, old, new):
        self.retain(c, physical, new)

    def delete(self, c, physical, p):
        c.client("logs").delete_log_group(logGroupName=physical)

    def live(self, c, physical, p):
        for group in c.client("logs").describe_log_groups(logGroupNamePrefix=physical)["logGroups"]:
            if group["logGroupName"] == physical:
                return {"RetentionInDays": group.get("retentionInDays")} if "RetentionInDays" in p else {}
        return None


@kind
class Role(Kind):  # aws-resource-iam-role.html
    type, tagged = "AWS::IAM::Role", True
    properties = {"AssumeRolePolicyDocument": NEVER, "Description": NEVER, "ManagedPolicyArns": NEVER, "MaxSessionDuration": NEVER,
                  "Path": ALWAYS, "PermissionsBoundary": NEVER, "Policies": NEVER, "RoleName": ALWAYS, "Tags": NEVER}
    attributes, required = ("Arn", "RoleId"), ("AssumeRolePolicyDocument",)

    def create(self, c, p):
        name = p.get("RoleName") or physical_name(c, 64)
        more = {k: p[k] for k in ("Path", "Description") if k in p}
        made = c.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(p["AssumeRolePolicyDocument"]),
                                           Tags=c.tags(p.get("Tags", ())), **more)["Role"]
        undone(lambda: self.grant(c, name, {}, p), lambda: c.client("iam").delete_role(RoleName=name))
        return name, {"Arn": made["Arn"], "RoleId": made["RoleId"]}

    def grant(self, c, name, old, new):
        iam = c.client("iam")
        for gone in {x["PolicyName"] for x in old.get("Policies", ())} - {x["PolicyName"] for x in new.get("Policies", ())}:
            iam.delete_role_policy(RoleName=name, PolicyName=gone)
        for policy in new.get("Policies", ()):
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=json.dumps(policy["PolicyDocument"]))
        was, now = set(old.get("ManagedPolicyArns", ())), set(new.get("ManagedPolicyArns", ()))
        for arn in was - now:
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in now - was:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)

    def update(self, c, physical, old, new):
        c.client("iam").update_assume_role_policy(RoleName=physical, PolicyDocument=json.dumps(new["AssumeRolePolicyDocument"]))
        c.client("iam").tag_role(RoleName=physical, Tags=c.tags(new.get("Tags", ())))
        self.grant(c, physical, old, new)

    def delete(self, c, physical, p):
        self.grant(c, physical, p, {})
        c.client("iam").delete_role(RoleName=physical)

    def live(self, c, physical, p):
        try:
            return {"AssumeRolePolicyDocument": c.client("iam").get_role(RoleName=physical)["Role"]["AssumeRolePolicyDocument"]}
        except ClientError as e:
            if absent(e):
                return None
            raise


@kind
class WaitHandle(Kind):  # aws-resource-cloudformation-waitconditionhandle.html: a resource that is nothing else
    type, properties = "AWS::CloudFormation::WaitConditionHandle", {}

    def create(self, c, p):
        return f"https://cloudformation-waitcondition-{c.region}.s3.amazonaws.com/{c.logical}", {}

    def update(self, c, physical, old, new):
        pass

    def delete(self, c, physical, p):
        pass
