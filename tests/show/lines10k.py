#!/usr/bin/env python3
"""20 subscribers on distinct nodes, `pub --lines` of 10,000 lines: all lines, in order, at each."""

import os
import random
import time

from common import Cluster, Failed, Subscriber, Workspace, main

NODES = 24
SUBSCRIBERS = 20
LINES = int(os.environ.get("SHOW_LINES", "10000"))


def run(figures):
    with Workspace() as space:
        cluster = Cluster(space, NODES, "--leaf-set", 8)
        nodes = random.sample(cluster.ids, SUBSCRIBERS)
        subscribers = [Subscriber(space, "show", "--node", node, "--count", LINES)
                       for node in nodes]
        for subscriber in subscribers:
            subscriber.wait_attached()
        begin = time.monotonic()
        lines = "".join(f"line {number}\n" for number in range(LINES)).encode()
        result = space.json("pub", "show", "-", "--lines", data=lines, timeout=300)
        published = time.monotonic() - begin
        wanted = [f"line {number}" for number in range(LINES)]
        figures.update(result, subscribers=SUBSCRIBERS, publish_s=round(published, 2), wrong=0)
        for subscriber in subscribers:
            code = subscriber.finish(120)
            if code != 0 or [m["payload"] for m in subscriber.messages] != wanted:
                figures["wrong"] += 1
        seconds = time.monotonic() - begin
        figures["deliveries_per_s"] = round(LINES * SUBSCRIBERS / seconds)
        cluster.stop()
        if figures["wrong"] or result["acknowledged"] != LINES:
            raise Failed("not every subscriber printed all lines in order")


main(run)
