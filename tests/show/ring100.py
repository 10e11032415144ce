#!/usr/bin/env python3
"""100 nodes as 100 processes form one ring (target: 5 s); a flash crowd of ten times its members joins
a ring of 10: how long the slowest of a hundred took from start to active, and until the ring is right."""

import json
import os
import pathlib
import threading
import time

from common import Cluster, Failed, Workspace, check, check_ring, main, until, wrong_roots

NODES = 100
FOUNDERS = 10
CROWD = 100
LEAF_SET = 16
READY_S = float(os.environ.get("SHOW_READY_S", "5"))


class Node:
    """A `pastry node` process and how long it took to become active."""

    def __init__(self, space, number, *words):
        self.seconds = None
        self.begin = time.monotonic()
        with open(space.path / f"node{number}.log", "wb") as log:
            self.process = space.start(
                "node", "--data", space.path / f"node{number}", "--leaf-set", LEAF_SET, "--profile",
                "lan", "--json", *words, stderr=log)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        line = self.process.stdout.readline()
        if line:
            self.ready = check(json.loads(line), "node")["nodes"][0]
            self.seconds = time.monotonic() - self.begin


def wait_active(nodes, patience):
    end = time.monotonic() + patience
    for node in nodes:
        node.reader.join(max(0.0, end - time.monotonic()))
        if node.seconds is None:
            raise Failed(f"a node was not active within {patience} s")


def cpu_seconds(pids):
    """Processor time that the processes have used so far."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def form_ring(space, figures):
    cluster = Cluster(space, NODES, "--leaf-set", LEAF_SET)
    figures["nodes"] = NODES
    figures["ready_s"] = round(cluster.ready["seconds"], 2)
    figures["cpu_s"] = round(cpu_seconds(node["pid"] for node in cluster.nodes), 2)
    check_ring(space.json("ring"), cluster.ids)
    figures["wrong_roots_of_1000"] = len(wrong_roots(space, cluster.ids, 1000))
    cluster.stop()


def flash_crowd(space, figures):
    first = Node(space, 0, "--create")
    wait_active([first], 20)
    join = first.ready["endpoint"]
    founders = [first] + [Node(space, i, "--join", join) for i in range(1, FOUNDERS)]
    wait_active(founders, 30)
    at = ("--node", first.ready["id"])
    until(lambda: len(space.json("ring", *at)["nodes"]) == FOUNDERS, 20, "the ring of the founders")

    begin = time.monotonic()
    crowd = [Node(space, FOUNDERS + i, "--join", founders[i % FOUNDERS].ready["endpoint"])
             for i in range(CROWD)]
    figures["crowd"] = CROWD
    figures["crowd_started_within_s"] = round(time.monotonic() - begin, 2)
    wait_active(crowd, 120)
    figures["all_active_s"] = round(time.monotonic() - begin, 2)
    joins = sorted(node.seconds for node in crowd)
    figures["join_s"] = {"p50": round(joins[len(joins) // 2], 2),
                         "p99": round(joins[len(joins) * 99 // 100], 2)}
    ids = [node.ready["id"] for node in founders + crowd]

    def right():
        try:
            check_ring(space.json("ring", *at), ids)
            return True
        except Failed:
            return False

    until(right, 30, "a right ring")
    figures["right_ring_s"] = round(time.monotonic() - begin, 2)


def run(figures):
    figures["load_before"] = round(os.getloadavg()[0], 1)
    figures["cores"] = os.cpu_count()
    with Workspace() as space:
        form_ring(space, figures)
    with Workspace() as space:
        flash_crowd(space, figures)
    if figures["wrong_roots_of_1000"]:
        raise Failed("a lookup named the wrong root")
    if figures["ready_s"] > READY_S:
        raise Failed(f"not ready within {READY_S} s")


main(run)
