"""drift.py - how the live resources differ from what the stack made"""
import json
import time
import uuid

import engine
from shapes import Refused, now
from stacks import SETTINGS


def _same(a, b):
    return json.dumps(a, sort_keys=True, default=str).lower() == json.dumps(b, sort_keys=True, default=str).lower()


def _look(stack, resource):
    live = resource.kind.live(stack.context(resource.logical), resource.physical, resource.properties)
    entry = {"StackId": stack.id, "LogicalResourceId": resource.logical, "PhysicalResourceId": resource.physical,
             "ResourceType": resource.type, "ExpectedProperties": json.dumps(resource.properties), "Timestamp": now(), "PropertyDifferences": []}
    if live is None:
        return {**entry, "StackResourceDriftStatus": "DELETED"}
    for name, value in live.items():
        expected = resource.properties.get(name)
        if isinstance(expected, list) and all(isinstance(x, str) for x in expected):
            expected, value = sorted(expected), sorted(value or ())
        if not _same(expected, value):
            kind = "REMOVE" if value is None else "NOT_EQUAL"
            entry["PropertyDifferences"].append({"PropertyPath": f"/{name}", "ExpectedValue": json.dumps(expected), "ActualValue": json.dumps(value),
                                                 "DifferenceType": kind})
    entry["ActualProperties"] = json.dumps({**resource.properties, **live})
    return {**entry, "StackResourceDriftStatus": "MODIFIED" if entry["PropertyDifferences"] else "IN_SYNC"}


def detect_stack_drift(cloud, p):
    stack = cloud.find(p["StackName"], "Stack [{}] does not exist")
    if stack.busy or stack.status in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
        raise Refused("ValidationError", f"Drift detection cannot be performed on stack [{stack.name}] in its current state {stack.status}")
    number = str(uuid.uuid4())
    found = cloud.detections[number] = {"StackId": stack.id, "StackDriftDetectionId": number, "DetectionStatus": "DETECTION_IN_PROGRESS",
                                        "Timestamp": now()}

    def work():
        time.sleep(SETTINGS.pace / 1000)
        try:
            drifted = 0
            for resource in list(stack.resources.values()):
                if resource.physical:
                    resource.drift = _look(stack, resource)
                    drifted += resource.drift["StackResourceDriftStatus"] != "IN_SYNC"
        except Exception as e:  # noqa: BLE001
            found.update(DetectionStatus="DETECTION_FAILED", DetectionStatusReason=f"{type(e).__name__}: {e}")
            return
        stack.drift = "DRIFTED" if drifted else "IN_SYNC"
        found.update(DetectionStatus="DETECTION_COMPLETE", StackDriftStatus=stack.drift, DriftedStackResourceCount=drifted, Timestamp=now())

    engine.start(work)
    return {"StackDriftDetectionId": number}


def describe_stack_drift_detection_status(cloud, p):
    if p["StackDriftDetectionId"] not in cloud.detections:
        raise Refused("ValidationError", f"DetectionId [{p['StackDriftDetectionId']}] does not exist")
    return cloud.detections[p["StackDriftDetectionId"]]


def describe_stack_resource_drifts(cloud, p):
    stack = cloud.find(p["StackName"], "Stack [{}] does not exist")
    wanted = p.get("StackResourceDriftStatusFilters")
    return {"StackResourceDrifts": [r.drift for r in list(stack.resources.values()) if r.drift
                                    and (not wanted or r.drift["StackResourceDriftStatus"] in wanted)]}
