"""moto_more.py - what EC2 refuses and moto does not: quotas, and the deletion of what is in use; a bucket policy's condition"""
import json

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.servicequotas.models import ServiceQuotasBackend

from stacks import SETTINGS

QUOTAS = {  # the names and units of `aws service-quotas list-aws-default-service-quotas`
    "L-F678F1CE": ("vpc", "Amazon Virtual Private Cloud (Amazon VPC)", "VPCs per Region"),
    "L-0263D0A3": ("ec2", "Amazon Elastic Compute Cloud (Amazon EC2)", "EC2-VPC Elastic IPs"),
}


def before(name):
    """`name` of moto's backend is preceded by the decorated function, which raises if it must not be."""
    def decorate(first):
        original = getattr(EC2Backend, name)

        def both(self, *arguments, **named):
            first(self, *arguments, **named)
            return original(self, *arguments, **named)

        setattr(EC2Backend, name, both)
        return first

    return decorate


def interfaces(backend, test):
    return [e for e in backend.enis.values() if test(e)]


@before("create_vpc")
def _(self, *_, is_default=False, **__):
    if not is_default and len(self.vpcs) >= SETTINGS.quotas["L-F678F1CE"]:
        raise EC2ClientError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")


@before("allocate_address")
def _(self, *_, **__):
    if len(self.addresses) >= SETTINGS.quotas["L-0263D0A3"]:
        raise EC2ClientError("AddressLimitExceeded", "The maximum number of addresses has been reached.")


@before("delete_vpc")
def _(self, vpc_id):
    groups = [g for g in self.groups.get(vpc_id, {}).values() if g.name != "default"]
    gateways = [g for g in self.internet_gateways.values() if g.vpc and g.vpc.id == vpc_id]
    endpoints = [e for e in self.vpc_end_points.values() if e.vpc_id == vpc_id and e.state != "deleted"]
    if groups or gateways or endpoints or interfaces(self, lambda e: e.subnet.vpc_id == vpc_id):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")


@before("delete_subnet")
def _(self, subnet_id):
    if interfaces(self, lambda e: e.subnet.id == subnet_id):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")


@before("_delete_security_group")
def _(self, vpc_id, group_id):
    used = interfaces(self, lambda e: any(g.id == group_id for g in e._group_set))
    for group in self.groups.get(vpc_id, {}).values():
        for rule in group.ingress_rules + group.egress_rules:
            used += [rule] if rule.source_group.get("GroupId") == group_id and group.id != group_id else []
    if used:
        raise DependencyViolationError(f"resource {group_id} has a dependent object")


@before("detach_internet_gateway")
def _(self, internet_gateway_id, vpc_id):
    if any(g.vpc_id == vpc_id and g.state == "available" and g.connectivity_type == "public" for g in self.nat_gateways.values()):
        raise DependencyViolationError(f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
                                       "detaching the gateway.")


@before("release_address")
def _(self, address=None, allocation_id=None):
    for gateway in self.nat_gateways.values():
        if gateway.state == "available" and any(a.get("allocationId") == allocation_id for a in gateway.address_set):
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address with allocation id {allocation_id} is in use.")


def _delete_nat_gateway(original):
    def delete(self, nat_gateway_id):
        gateway = self.nat_gateways.get(nat_gateway_id)
        if not gateway:
            raise EC2ClientError("NatGatewayNotFound", f"NatGateway {nat_gateway_id} was not found")
        gateway = original(self, nat_gateway_id)
        # Its interface goes, and its address is free.
        self.enis.pop(gateway._eni.id, None)
        for address in self.addresses:
            if address.eni is gateway._eni:
                address.eni, address.association_id = None, None
        return gateway
    return delete


EC2Backend.delete_nat_gateway = _delete_nat_gateway(EC2Backend.delete_nat_gateway)


def _offerings(original):
    def describe(self, location_type=None, filters=None):
        found, by_zone = original(self, location_type, filters), (location_type or "region") != "region"
        names = {z.name: z.zone_id for z in self.describe_availability_zones()}
        for kind, zones in SETTINGS.offers.items():
            found = [o for o in found if o["InstanceType"] != kind]
            places = [names.get(z, z) if location_type == "availability-zone-id" else z for z in zones]
            if not by_zone:
                places = [self.region_name] if zones else []
            more = [{"InstanceType": kind, "LocationType": location_type or "region", "Location": p} for p in places]
            found += [o for o in more if self.matches_filters(o, filters or {}, location_type or "region")]
        return found
    return describe


EC2Backend.describe_instance_type_offerings = _offerings(EC2Backend.describe_instance_type_offerings)


def _service_quota(original):
    def get(self, service_code, quota_code):
        if quota_code not in QUOTAS or QUOTAS[quota_code][0] != service_code:
            return original(self, service_code, quota_code)
        service, service_name, name = QUOTAS[quota_code]
        return {"ServiceCode": service, "ServiceName": service_name, "QuotaArn": f"arn:aws:servicequotas:{self.region_name}:{self.account_id}:"
                f"{service}/{quota_code}", "QuotaCode": quota_code, "QuotaName": name, "Value": SETTINGS.quotas[quota_code], "Unit": "None",
                "Adjustable": True, "GlobalQuota": False}
    return get


ServiceQuotasBackend.get_service_quota = _service_quota(ServiceQuotasBackend.get_service_quota)


def _permission(original):
    """moto takes a statement whatever its conditions are. Loopback counts as TLS here, so what denies the lack of it is left out."""
    def get(self, action, resource):
        whole = self.policy
        if whole is None:
            return original(self, action, resource)
        policy = json.loads(whole)
        statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        policy["Statement"] = [s for s in statements if s.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") != "false"]
        if not policy["Statement"]:
            return PermissionResult.NEUTRAL
        mind = FakeBucket.__new__(FakeBucket)
        mind.policy = json.dumps(policy).encode()
        return original(mind, action, resource)
    return get


FakeBucket.get_permission = _permission(FakeBucket.get_permission)
