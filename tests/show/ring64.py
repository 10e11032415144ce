#!/usr/bin/env python3
"""64 nodes: ready within 10 s, every neighbour right, 1,000 lookups, traces; the same while nodes
are killed one after another."""

import math
import time

from common import Cluster, Failed, Workspace, check_ring, closest, main, random_keys, until, \
    wrong_roots

NODES = 64
LOOKUPS = 1000
KILLS = 8
DETECTION_S = 5


def longest_trace(space, ids, count):
    longest = 0
    for key in random_keys(count):
        path = space.json("trace", key)["path"]
        if path[-1]["id"] != closest(key, ids):
            raise Failed(f"the trace of {key} ends at the wrong node")
        longest = max(longest, len(path) - 1)
    return longest


def right(space, ids):
    try:
        check_ring(space.json("ring"), ids)
    except Failed:
        return False
    return True


def run(figures):
    bound = math.ceil(math.log(NODES, 16)) + 1
    with Workspace() as space:
        cluster = Cluster(space, NODES, "--leaf-set", 8)
        figures["ready_s"] = round(cluster.ready["seconds"], 2)
        if cluster.ready["seconds"] > 10:
            raise Failed("not ready within 10 s")
        check_ring(space.json("ring"), cluster.ids)
        begin = time.monotonic()
        figures["lookups"] = LOOKUPS
        figures["wrong_roots"] = len(wrong_roots(space, cluster.ids, LOOKUPS))
        figures["lookups_per_s"] = round(LOOKUPS / (time.monotonic() - begin))
        figures["longest_trace"] = longest_trace(space, cluster.ids, 100)
        figures["killed"] = 0
        figures["wrong_roots_after_kills"] = 0
        figures["repair_s_max"] = 0.0
        for _ in range(KILLS):
            victim = cluster.living[0]
            cluster.kill(victim)
            begin = time.monotonic()
            until(lambda: right(space, cluster.living), 20, "a right ring")
            repair_s = time.monotonic() - begin
            figures["repair_s_max"] = round(max(figures["repair_s_max"], repair_s), 1)
            time.sleep(max(0.0, DETECTION_S - repair_s))
            figures["wrong_roots_after_kills"] += len(wrong_roots(space, cluster.living, 100))
            figures["longest_trace"] = max(figures["longest_trace"],
                                           longest_trace(space, cluster.living, 10))
            figures["killed"] += 1
        cluster.stop()
    if figures["wrong_roots"] or figures["wrong_roots_after_kills"]:
        raise Failed("a lookup named the wrong root")
    if figures["repair_s_max"] > DETECTION_S:
        raise Failed(f"a ring was not repaired within {DETECTION_S} s")
    if figures["longest_trace"] > bound:
        raise Failed(f"a trace has more than {bound} hops")


main(run)
