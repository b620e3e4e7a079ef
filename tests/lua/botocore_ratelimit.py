"""Runs botocore's adaptive rate limiter over a JSON list of [time, what] and writes the rate and wait after each."""
import json
import sys

from botocore.retries import adaptive, bucket, throttling


class Clock:
    now = 0.0

    def current_time(self):
        return self.now


def run(events):
    clock = Clock()
    clock.now = events[0][0]
    tokens = bucket.TokenBucket(max_rate=1, clock=clock)
    clocker = adaptive.RateClocker(clock)
    cubic = throttling.CubicCalculator(starting_max_rate=0, start_time=clock.now)
    enabled = False
    for now, what in events:
        clock.now = now
        measured = clocker.record()
        if what == "ok":
            rate = cubic.success_received(now)
        else:
            rate = cubic.error_received(min(measured, tokens.max_rate) if enabled else measured, now)
            enabled = True
        tokens.max_rate = min(rate, 2 * measured)
        yield {"fill": tokens.max_rate, "measured": measured, "tokens": tokens.available_capacity}


json.dump(list(run(json.load(sys.stdin))), sys.stdout)
