"""Writes the endpoints that botocore's rules give for services, regions and both options, as a JSON list."""
import json
import sys

import botocore.session
from botocore.endpoint_provider import EndpointProvider

LOADER = botocore.session.Session().get_component("data_loader")
PARTITIONS = LOADER.load_data("partitions")


def ask(provider, names, region, fips, dual_stack, bucket=None):
    given = {"Region": region, "UseFIPS": fips, "UseDualStack": dual_stack, "UseGlobalEndpoint": False, "Bucket": bucket}
    given = {name: value for name, value in given.items() if name in names and value is not None}
    try:
        endpoint = provider.resolve_endpoint(**given)
    except Exception as error:  # botocore raises several kinds; all of them mean that there is no endpoint
        return {"error": str(error)}
    scheme = (endpoint.properties.get("authSchemes") or [{}])[0]
    return {"url": endpoint.url, "signing_region": scheme.get("signingRegion", region)}


def cases(asked):
    for service in asked["services"]:
        if service in asked.get("without", []):
            continue
        rules = LOADER.load_service_model(service, "endpoint-rule-set-1")
        metadata = LOADER.load_service_model(service, "service-2")["metadata"]
        provider = EndpointProvider(rules, PARTITIONS)
        for region in asked["regions"]:
            for options in range(4):
                for bucket in asked["buckets"] if service == "s3" else [None]:
                    fips, dual_stack = options in (1, 3), options in (2, 3)
                    yield {
                        "service": service, "region": region, "fips": fips, "dual_stack": dual_stack,
                        "bucket": bucket or False,
                        "endpoint_prefix": metadata["endpointPrefix"], "service_id": metadata["serviceId"],
                        "signing_name": metadata.get("signingName", metadata["endpointPrefix"]),
                        "want": ask(provider, rules["parameters"], region, fips, dual_stack, bucket),
                    }


given = json.load(sys.stdin)
if given["services"] == "all":
    given["services"] = LOADER.list_available_services("endpoint-rule-set-1")
json.dump({"folder": LOADER.search_paths[-1], "cases": list(cases(given))}, sys.stdout)
