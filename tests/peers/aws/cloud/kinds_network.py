"""kinds_network.py - VPC, its addresses, gateways, tables and subnets"""
from botocore.exceptions import ClientError

from kinds import ALWAYS, NEVER, PERHAPS, Kind, absent, kind


class Ec2(Kind):
    """What has tags of EC2's."""
    tagged = True

    def ec2(self, c):
        return c.client("ec2")

    def tag(self, c, physical, p):
        self.ec2(c).create_tags(Resources=[physical], Tags=c.tags(p.get("Tags", ())))

    def retag(self, c, physical, old, new):
        kept = {t["Key"] for t in c.tags(new.get("Tags", ()))}
        gone = [{"Key": t["Key"]} for t in self.tags_of(c, physical) if t["Key"] not in kept]
        if gone:
            self.ec2(c).delete_tags(Resources=[physical], Tags=gone)
        self.tag(c, physical, new)

    def tags_of(self, c, physical):
        return self.ec2(c).describe_tags(Filters=[{"Name": "resource-id", "Values": [physical]}])["Tags"]

    def update(self, c, physical, old, new):
        self.retag(c, physical, old, new)


@kind
class Vpc(Ec2):  # aws-resource-ec2-vpc.html
    type = "AWS::EC2::VPC"
    properties = {"CidrBlock": ALWAYS, "EnableDnsHostnames": NEVER, "EnableDnsSupport": NEVER, "InstanceTenancy": PERHAPS,
                  "Ipv4IpamPoolId": ALWAYS, "Ipv4NetmaskLength": ALWAYS, "Tags": NEVER}
    attributes = ("CidrBlock", "CidrBlockAssociations", "DefaultNetworkAcl", "DefaultSecurityGroup", "Ipv6CidrBlocks", "VpcId")

    def create(self, c, p):
        made = self.ec2(c).create_vpc(CidrBlock=p["CidrBlock"], InstanceTenancy=p.get("InstanceTenancy", "default"))["Vpc"]
        self.tag(c, made["VpcId"], p)
        self.switch(c, made["VpcId"], p)
        of = [{"Name": "vpc-id", "Values": [made["VpcId"]]}]
        groups, acls = self.ec2(c).describe_security_groups(Filters=of), self.ec2(c).describe_network_acls(Filters=of)
        return made["VpcId"], {
            "VpcId": made["VpcId"], "CidrBlock": made["CidrBlock"], "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"],
            "DefaultNetworkAcl": acls["NetworkAcls"][0]["NetworkAclId"], "Ipv6CidrBlocks": [],
            "CidrBlockAssociations": [x["AssociationId"] for x in made["CidrBlockAssociationSet"]]}

    def switch(self, c, physical, p):
        for name, default in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
            on = str(p.get(name, default)).lower() == "true"
            self.ec2(c).modify_vpc_attribute(VpcId=physical, **{name: {"Value": on}})

    def update(self, c, physical, old, new):
        self.switch(c, physical, new)
        self.retag(c, physical, old, new)

    def delete(self, c, physical, p):
        self.ec2(c).delete_vpc(VpcId=physical)

    def live(self, c, physical, p):
        try:
            found = {"CidrBlock": self.ec2(c).describe_vpcs(VpcIds=[physical])["Vpcs"][0]["CidrBlock"]}
        except ClientError as e:
            if absent(e):
                return None
            raise
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            if name in p:
                attribute = name[0].lower() + name[1:]
                found[name] = self.ec2(c).describe_vpc_attribute(VpcId=physical, Attribute=attribute)[name]["Value"]
        return found


@kind
class VpcCidrBlock(Ec2):  # aws-resource-ec2-vpccidrblock.html
    type = "AWS::EC2::VPCCidrBlock"
    properties = {"AmazonProvidedIpv6CidrBlock": ALWAYS, "CidrBlock": ALWAYS, "VpcId": ALWAYS}
    attributes, required, tagged = ("Id", "VpcId"), ("VpcId",), False

    def create(self, c, p):
        made = self.ec2(c).associate_vpc_cidr_block(VpcId=p["VpcId"], CidrBlock=p["CidrBlock"])["CidrBlockAssociation"]["AssociationId"]
        return f"{made}|{p['VpcId']}", {"Id": made, "VpcId": p["VpcId"]}

    def delete(self, c, physical, p):
        self.ec2(c).disassociate_vpc_cidr_block(AssociationId=physical.split("|")[0])

    def live(self, c, physical, p):
        vpcs = self.ec2(c).describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [p["VpcId"]]}])["Vpcs"]
        for block in vpcs[0]["CidrBlockAssociationSet"] if vpcs else ():
            if block["AssociationId"] == physical.split("|")[0] and block["CidrBlockState"]["State"] == "associated":
                return {"CidrBlock": block["CidrBlock"]}
        return None


@kind
class InternetGateway(Ec2):  # aws-resource-ec2-internetgateway.html
    type, properties, attributes = "AWS::EC2::InternetGateway", {"Tags": NEVER}, ("InternetGatewayId",)

    def create(self, c, p):
        made = self.ec2(c).create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.tag(c, made, p)
        return made, {"InternetGatewayId": made}

    def delete(self, c, physical, p):
        self.ec2(c).delete_internet_gateway(InternetGatewayId=physical)

    def live(self, c, physical, p):
        found = self.ec2(c).describe_internet_gateways(Filters=[{"Name": "internet-gateway-id", "Values": [physical]}])
        return {} if found["InternetGateways"] else None


@kind
class GatewayAttachment(Ec2):  # aws-resource-ec2-vpcgatewayattachment.html
    type, tagged = "AWS::EC2::VPCGatewayAttachment", False
    properties = {"InternetGatewayId": NEVER, "VpcId": ALWAYS, "VpnGatewayId": NEVER}
    attributes, required = ("AttachmentType",), ("VpcId", "InternetGatewayId")

    def create(self, c, p):
        self.ec2(c).attach_internet_gateway(VpcId=p["VpcId"], InternetGatewayId=p["InternetGatewayId"])
        return f"IGW|{p['VpcId']}", {"AttachmentType": "IGW"}

    def update(self, c, physical, old, new):
        self.delete(c, physical, old)
        self.create(c, new)

    def delete(self, c, physical, p):
        self.ec2(c).detach_internet_gateway(VpcId=p["VpcId"], InternetGatewayId=p["InternetGatewayId"])


@kind
class Eip(Ec2):  # aws-resource-ec2-eip.html
    type = "AWS::EC2::EIP"
    properties = {"Address": NEVER, "Domain": PERHAPS, "InstanceId": NEVER, "NetworkBorderGroup": ALWAYS, "PublicIpv4Pool": PERHAPS,
                  "Tags": NEVER, "TransferAddress": ALWAYS}
    attributes = ("AllocationId", "PublicIp")

    def create(self, c, p):
        made = self.ec2(c).allocate_address(Domain=p.get("Domain", "vpc"))
        self.tag(c, made["AllocationId"], p)
        return made["PublicIp"], {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]}

    def found(self, c, physical):
        return self.ec2(c).describe_addresses(Filters=[{"Name": "public-ip", "Values": [physical]}])["Addresses"]

    def update(self, c, physical, old, new):
        self.retag(c, self.found(c, physical)[0]["AllocationId"], old, new)

    def delete(self, c, physical, p):
        for address in self.found(c, physical):
            self.ec2(c).release_address(AllocationId=address["AllocationId"])

    def live(self, c, physical, p):
        return {} if self.found(c, physical) else None


@kind
class NatGateway(Ec2):  # aws-resource-ec2-natgateway.html
    type = "AWS::EC2::NatGateway"
    properties = {"AllocationId": ALWAYS, "ConnectivityType": ALWAYS, "MaxDrainDurationSeconds": NEVER, "PrivateIpAddress": ALWAYS,
                  "SubnetId": ALWAYS, "Tags": NEVER}
    attributes = ("NatGatewayId", "EniId")

    def create(self, c, p):
        more = {"AllocationId": p["AllocationId"]} if "AllocationId" in p else {"ConnectivityType": "private"}
        made = self.ec2(c).create_nat_gateway(SubnetId=p["SubnetId"], **more)["NatGateway"]
        self.tag(c, made["NatGatewayId"], p)
        return made["NatGatewayId"], {"NatGatewayId": made["NatGatewayId"],
                                      "EniId": made["NatGatewayAddresses"][0].get("NetworkInterfaceId", "")}

    def delete(self, c, physical, p):
        self.ec2(c).delete_nat_gateway(NatGatewayId=physical)

    def live(self, c, physical, p):
        found = self.ec2(c).describe_nat_gateways(NatGatewayIds=[physical])["NatGateways"]
        return {"SubnetId": found[0]["SubnetId"]} if found and found[0]["State"] != "deleted" else None


@kind
class RouteTable(Ec2):  # aws-resource-ec2-routetable.html
    type, properties = "AWS::EC2::RouteTable", {"Tags": NEVER, "VpcId": ALWAYS}
    attributes, required = ("RouteTableId",), ("VpcId",)

    def create(self, c, p):
        made = self.ec2(c).create_route_table(VpcId=p["VpcId"])["RouteTable"]["RouteTableId"]
        self.tag(c, made, p)
        return made, {"RouteTableId": made}

    def delete(self, c, physical, p):
        self.ec2(c).delete_route_table(RouteTableId=physical)

    def live(self, c, physical, p):
        found = self.ec2(c).describe_route_tables(Filters=[{"Name": "route-table-id", "Values": [physical]}])["RouteTables"]
        return {"VpcId": found[0]["VpcId"]} if found else None


@kind
class Route(Ec2):  # aws-resource-ec2-route.html
    type, tagged = "AWS::EC2::Route", False
    targets = ("GatewayId", "NatGatewayId", "NetworkInterfaceId", "VpcEndpointId", "TransitGatewayId", "VpcPeeringConnectionId", "InstanceId")
    properties = {"RouteTableId": ALWAYS, "DestinationCidrBlock": ALWAYS, "DestinationIpv6CidrBlock": ALWAYS, **dict.fromkeys(targets, NEVER)}
    attributes, required = ("CidrBlock",), ("RouteTableId",)

    def arguments(self, p):
        return {k: v for k, v in p.items() if k in self.properties}

    def create(self, c, p):
        self.ec2(c).create_route(**self.arguments(p))
        return f"{p['RouteTableId']}|{p['DestinationCidrBlock']}", {"CidrBlock": p["DestinationCidrBlock"]}

    def update(self, c, physical, old, new):
        self.ec2(c).replace_route(**self.arguments(new))

    def delete(self, c, physical, p):
        self.ec2(c).delete_route(RouteTableId=p["RouteTableId"], DestinationCidrBlock=p["DestinationCidrBlock"])

    def live(self, c, physical, p):
        tables = self.ec2(c).describe_route_tables(Filters=[{"Name": "route-table-id", "Values": [p["RouteTableId"]]}])["RouteTables"]
        for route in tables[0]["Routes"] if tables else ():
            if route.get("DestinationCidrBlock") == p["DestinationCidrBlock"]:
                return {k: route.get(k) for k in self.targets if k in p}
        return None


@kind
class Subnet(Ec2):  # aws-resource-ec2-subnet.html
    type = "AWS::EC2::Subnet"
    properties = {"AssignIpv6AddressOnCreation": NEVER, "AvailabilityZone": ALWAYS, "AvailabilityZoneId": ALWAYS, "CidrBlock": ALWAYS,
                  "EnableDns64": NEVER, "Ipv6CidrBlock": NEVER, "MapPublicIpOnLaunch": NEVER, "OutpostArn": ALWAYS,
                  "PrivateDnsNameOptionsOnLaunch": NEVER, "Tags": NEVER, "VpcId": ALWAYS}
    attributes, required = ("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "NetworkAclAssociationId", "SubnetId", "VpcId"), ("VpcId",)

    def create(self, c, p):
        given = {k: p[k] for k in ("VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId") if k in p}
        made = self.ec2(c).create_subnet(**given)["Subnet"]
        self.tag(c, made["SubnetId"], p)
        self.map(c, made["SubnetId"], p)
        return made["SubnetId"], {k: made[k] for k in self.attributes if k in made}

    def map(self, c, physical, p):
        on = str(p.get("MapPublicIpOnLaunch", False)).lower() == "true"
        self.ec2(c).modify_subnet_attribute(SubnetId=physical, MapPublicIpOnLaunch={"Value": on})

    def update(self, c, physical, old, new):
        self.map(c, physical, new)
        self.retag(c, physical, old, new)

    def delete(self, c, physical, p):
        self.ec2(c).delete_subnet(SubnetId=physical)

    def live(self, c, physical, p):
        found = self.ec2(c).describe_subnets(Filters=[{"Name": "subnet-id", "Values": [physical]}])["Subnets"]
        return {k: found[0][k] for k in ("CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch") if k in p} if found else None


@kind
class TableAssociation(Ec2):  # aws-resource-ec2-subnetroutetableassociation.html
    type, tagged = "AWS::EC2::SubnetRouteTableAssociation", False
    properties, attributes, required = {"RouteTableId": NEVER, "SubnetId": ALWAYS}, ("Id",), ("RouteTableId", "SubnetId")

    def create(self, c, p):
        made = self.ec2(c).associate_route_table(SubnetId=p["SubnetId"], RouteTableId=p["RouteTableId"])["AssociationId"]
        return made, {"Id": made}

    def update(self, c, physical, old, new):
        self.ec2(c).replace_route_table_association(AssociationId=physical, RouteTableId=new["RouteTableId"])

    def delete(self, c, physical, p):
        self.ec2(c).disassociate_route_table(AssociationId=physical)


@kind
class VpcEndpoint(Ec2):  # aws-resource-ec2-vpcendpoint.html
    type = "AWS::EC2::VPCEndpoint"
    properties = {"PolicyDocument": NEVER, "PrivateDnsEnabled": NEVER, "RouteTableIds": NEVER, "SecurityGroupIds": NEVER,
                  "ServiceName": ALWAYS, "SubnetIds": NEVER, "Tags": NEVER, "VpcEndpointType": ALWAYS, "VpcId": ALWAYS}
    attributes, required = ("Id", "CreationTimestamp", "DnsEntries", "NetworkInterfaceIds"), ("ServiceName", "VpcId")

    def create(self, c, p):
        given = {k: p[k] for k in self.properties if k in p and k not in ("Tags", "PolicyDocument")}
        made = self.ec2(c).create_vpc_endpoint(**given)["VpcEndpoint"]["VpcEndpointId"]
        self.tag(c, made, p)
        return made, {"Id": made}

    def update(self, c, physical, old, new):
        was, now = set(old.get("RouteTableIds", ())), set(new.get("RouteTableIds", ()))
        if was != now:
            self.ec2(c).modify_vpc_endpoint(VpcEndpointId=physical, AddRouteTableIds=sorted(now - was), RemoveRouteTableIds=sorted(was - now))
        self.retag(c, physical, old, new)

    def delete(self, c, physical, p):
        self.ec2(c).delete_vpc_endpoints(VpcEndpointIds=[physical])

    def live(self, c, physical, p):
        found = self.ec2(c).describe_vpc_endpoints(VpcEndpointIds=[physical])["VpcEndpoints"]
        if not found or found[0]["State"] == "deleted":
            return None
        return {"RouteTableIds": sorted(found[0].get("RouteTableIds", ()))} if "RouteTableIds" in p else {}


@kind
class FlowLog(Ec2):  # aws-resource-ec2-flowlog.html
    type = "AWS::EC2::FlowLog"
    properties = {k: ALWAYS for k in ("DeliverCrossAccountRole", "DeliverLogsPermissionArn", "DestinationOptions", "LogDestination",
                                      "LogDestinationType", "LogFormat", "LogGroupName", "MaxAggregationInterval", "ResourceId",
                                      "ResourceType", "TrafficType")} | {"Tags": NEVER}
    attributes, required = ("Id",), ("ResourceId", "ResourceType")

    def create(self, c, p):
        given = {k: p[k] for k in self.properties if k in p and k not in ("Tags", "ResourceId")}
        made = self.ec2(c).create_flow_logs(ResourceIds=[p["ResourceId"]], **given)
        made = made["FlowLogIds"][0]
        self.tag(c, made, p)
        return made, {"Id": made}

    def delete(self, c, physical, p):
        self.ec2(c).delete_flow_logs(FlowLogIds=[physical])

    def live(self, c, physical, p):
        return {} if self.ec2(c).describe_flow_logs(Filters=[{"Name": "flow-log-id", "Values": [physical]}])["FlowLogs"] else None
