"""kinds_groups.py - security groups, and their rules as resources of their own"""
from botocore.exceptions import ClientError

from kinds import ALWAYS, NEVER, absent, kind
from kinds_network import Ec2

RULE = ("IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "Description", "SourceSecurityGroupId", "DestinationSecurityGroupId",
        "SourcePrefixListId", "DestinationPrefixListId")


def permission(rule):
    """A rule of a template as EC2 takes it."""
    made = {"IpProtocol": str(rule["IpProtocol"])}
    for port in ("FromPort", "ToPort"):
        if port in rule:
            made[port] = int(rule[port])
    words = {"Description": rule["Description"]} if "Description" in rule else {}
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    prefix = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if group:
        made["UserIdGroupPairs"] = [{"GroupId": group, **words}]
    elif prefix:
        made["PrefixListIds"] = [{"PrefixListId": prefix, **words}]
    elif "CidrIpv6" in rule:
        made["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **words}]
    else:
        made["IpRanges"] = [{"CidrIp": rule["CidrIp"], **words}]
    return made


def grants(permissions):
    """Rules as EC2 lists them, as a set that can be compared."""
    found = set()
    for p in permissions:
        protocol = p["IpProtocol"]
        ports = (p.get("FromPort"), p.get("ToPort")) if protocol not in ("-1", -1) else (None, None)
        for part, name in (("UserIdGroupPairs", "GroupId"), ("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"), ("PrefixListIds", "PrefixListId")):
            found.update((str(protocol), *ports, x[name]) for x in p.get(part, ()))
    return found


@kind
class SecurityGroup(Ec2):  # aws-resource-ec2-securitygroup.html
    type = "AWS::EC2::SecurityGroup"
    properties = {"GroupDescription": ALWAYS, "GroupName": ALWAYS, "SecurityGroupEgress": NEVER, "SecurityGroupIngress": NEVER,
                  "Tags": NEVER, "VpcId": ALWAYS}
    attributes, required = ("GroupId", "Id", "VpcId"), ("GroupDescription",)

    def create(self, c, p):
        name = p.get("GroupName", f"{c.stack}-{c.logical}-{abs(hash((c.stack_id, c.logical))) % 36 ** 8:08X}")
        made = self.ec2(c).create_security_group(GroupName=name, Description=p["GroupDescription"], VpcId=p["VpcId"])["GroupId"]
        self.tag(c, made, p)
        if "SecurityGroupEgress" in p:
            # The rule that every group has at first is for those that name none.
            self.ec2(c).revoke_security_group_egress(GroupId=made, IpPermissions=[permission({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"})])
        self.change(c, made, {}, p)
        return made, {"GroupId": made, "Id": made, "VpcId": p["VpcId"]}

    def change(self, c, physical, old, new):
        for way, add, remove in (("SecurityGroupIngress", "authorize_security_group_ingress", "revoke_security_group_ingress"),
                                 ("SecurityGroupEgress", "authorize_security_group_egress", "revoke_security_group_egress")):
            was, now = ([permission(r) for r in p.get(way, ())] for p in (old, new))
            for call, rules in ((remove, [r for r in was if r not in now]), (add, [r for r in now if r not in was])):
                if rules:
                    getattr(self.ec2(c), call)(GroupId=physical, IpPermissions=rules)

    def update(self, c, physical, old, new):
        self.change(c, physical, old, new)
        self.retag(c, physical, old, new)

    def delete(self, c, physical, p):
        self.ec2(c).delete_security_group(GroupId=physical)

    def live(self, c, physical, p):
        found = self.ec2(c).describe_security_groups(Filters=[{"Name": "group-id", "Values": [physical]}])["SecurityGroups"]
        if not found:
            return None
        live = {"GroupDescription": found[0]["Description"]}
        # Rules beyond the template's may be resources of their own; only the lack of one is drift.
        for way, name in (("SecurityGroupIngress", "IpPermissions"), ("SecurityGroupEgress", "IpPermissionsEgress")):
            if way in p:
                there = grants(found[0][name])
                live[way] = [r for r in p[way] if grants([permission(r)]) <= there]
        return live


class Rule(Ec2):
    tagged, way, call = False, "IpPermissions", "ingress"
    attributes, required = ("Id",), ("IpProtocol",)

    def rule(self, p):
        return [permission({k: v for k, v in p.items() if k in RULE})]

    def create(self, c, p):
        made = getattr(self.ec2(c), f"authorize_security_group_{self.call}")(GroupId=p["GroupId"], IpPermissions=self.rule(p))
        made = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return made, {"Id": made}

    def delete(self, c, physical, p):
        getattr(self.ec2(c), f"revoke_security_group_{self.call}")(GroupId=p["GroupId"], IpPermissions=self.rule(p))

    def live(self, c, physical, p):
        try:
            groups = self.ec2(c).describe_security_groups(GroupIds=[p["GroupId"]])["SecurityGroups"]
        except ClientError as e:
            if absent(e):
                return None
            raise
        return {} if grants(self.rule(p)) <= grants(groups[0][self.way]) else None


@kind
class Ingress(Rule):  # aws-resource-ec2-securitygroupingress.html
    type = "AWS::EC2::SecurityGroupIngress"
    properties = {k: ALWAYS for k in ("CidrIp", "CidrIpv6", "FromPort", "GroupId", "GroupName", "IpProtocol", "SourcePrefixListId",
                                      "SourceSecurityGroupId", "SourceSecurityGroupName", "ToPort", "Description")}


@kind
class Egress(Rule):  # aws-resource-ec2-securitygroupegress.html
    type, way, call = "AWS::EC2::SecurityGroupEgress", "IpPermissionsEgress", "egress"
    properties = {k: ALWAYS for k in ("CidrIp", "CidrIpv6", "FromPort", "GroupId", "IpProtocol", "DestinationPrefixListId",
                                      "DestinationSecurityGroupId", "ToPort", "Description")}
