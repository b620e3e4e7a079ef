"""extras.py - calls of EC2 that moto lacks, and interfaces that others own"""
from datetime import datetime

from moto.ec2.models import ec2_backends

from stacks import ACCOUNT, SETTINGS


def _stamps(entries):
    """Times come as text from /_control."""
    return [{k: datetime.fromisoformat(v.replace("Z", "+00:00")) if k.endswith(("Date", "Time")) and isinstance(v, str) else v
             for k, v in e.items()} for e in entries]


def describe_capacity_reservations(region, p):
    names = {"instance-type": "InstanceType", "state": "State", "availability-zone": "AvailabilityZone",
             "availability-zone-id": "AvailabilityZoneId", "owner-id": "OwnerId"}
    found = [{"OwnerId": ACCOUNT, "State": "active", **r} for r in SETTINGS.reservations]
    for f in p.get("Filters", ()):
        found = [r for r in found if str(r.get(names.get(f["Name"], f["Name"]))) in f["Values"]]
    if p.get("CapacityReservationIds"):
        found = [r for r in found if r.get("CapacityReservationId") in p["CapacityReservationIds"]]
    return {"CapacityReservations": _stamps(found)}


def describe_capacity_block_offerings(region, p):
    wanted = {k: p[k] for k in ("InstanceType", "InstanceCount") if k in p}
    found = [b for b in SETTINGS.blocks if all(b.get(k) == v for k, v in wanted.items())]
    if "CapacityDurationHours" in p:
        found = [b for b in found if b.get("CapacityBlockDurationHours", p["CapacityDurationHours"]) == p["CapacityDurationHours"]]
    return {"CapacityBlockOfferings": _stamps(found)}


OPERATIONS = {"DescribeCapacityReservations": describe_capacity_reservations,
              "DescribeCapacityBlockOfferings": describe_capacity_block_offerings}


def call(operation, region, p):
    return OPERATIONS[operation](region, p)


# --- interfaces -------------------------------------------------------------------------------------------------------


def plant_interface(region, subnet, groups=(), type="interface", description="", requester=None):  # noqa: A002
    """An interface in use, as load balancers, functions and file systems put them into a subnet."""
    made = ec2_backends[ACCOUNT][region].create_network_interface(subnet, [], group_ids=list(groups), description=description)
    made.interface_type, made.status = type, "in-use"
    made.requester_managed = requester is not None
    made.requester_id = requester or ACCOUNT
    return {"id": made.id}


def remove_interface(region, number):
    del ec2_backends[ACCOUNT][region].enis[number]
