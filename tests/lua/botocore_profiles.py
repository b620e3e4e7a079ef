"""botocore_profiles.py - what botocore makes of files and an environment: cases in as JSON, one answer for each out."""
import json
import os
import sys

import botocore.exceptions
import botocore.session


def answer(case):
    os.environ.clear()
    os.environ.update(case["environ"])
    try:
        session = botocore.session.Session(profile=case.get("profile"))
        region = session.get_config_variable("region")
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except (botocore.exceptions.BotoCoreError, ValueError) as e:
        return {"error": type(e).__name__}
    if not frozen:
        return {"error": "none", "region": region}
    return {"source": found.method, "access_key": frozen.access_key, "secret": frozen.secret_key, "token": frozen.token, "region": region}


print(json.dumps([answer(case) for case in json.load(sys.stdin)]))
