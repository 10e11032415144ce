#!/usr/bin/env python3
"""16 nodes under 1,000 lookups a second; one is stopped (SIGSTOP) for 20 s, then continued (SIGCONT).
No lookup may be answered by a wrong root: not by the stopped node on a stale lease, and by nobody
else while the stopped node's leases last. A quarter of the keys lies next to the stopped node."""

import concurrent.futures
import os
import random
import signal
import time

from common import Cluster, Failed, Workspace, check, check_ring, closest, main, until

NODES = 16
LEAF_SET = 8
RATE = int(os.environ.get("SHOW_RATE", "1000"))
STOPPED_S = float(os.environ.get("SHOW_STOPPED_S", "20"))
BATCH = 100
LEASE_S = 3
BACK_S = 10  # R8: back within 10 s


class Load:
    """Batches of lookups through nodes in turn, at a steady rate, until stop() is called."""

    def __init__(self, space, ids, victim):
        self.space = space
        self.sources = [node for node in ids if node != victim]
        self.victim = victim
        self.random = random.Random(1)
        self.pool = concurrent.futures.ThreadPoolExecutor(max_workers=64)
        self.batches = []
        self.stopping = False
        self.feeder = self.pool.submit(self.feed)

    def key(self):
        if self.random.random() < 0.75:
            return f"{self.random.getrandbits(128):032x}"
        near = int(self.victim, 16) + self.random.randrange(-2**64, 2**64)
        return f"{near % 2**128:032x}"

    def feed(self):
        begin = time.monotonic()
        count = 0
        while not self.stopping:
            keys = [self.key() for _ in range(BATCH)]
            source = self.sources[count % len(self.sources)]
            self.batches.append(self.pool.submit(self.look_up, source, keys))
            count += 1
            time.sleep(max(0.0, begin + count * BATCH / RATE - time.monotonic()))

    def look_up(self, source, keys):
        begin = time.monotonic()
        answers = self.space.lines("lookup", "-", "--node", source, "--timeout", 60,
                                   data="\n".join(keys).encode(), timeout=90)
        return begin, time.monotonic(), answers

    def stop(self):
        self.stopping = True
        self.feeder.result()
        return [batch.result() for batch in self.batches]


def ring_is_right(space, ids, at):
    try:
        check_ring(space.json("ring", "--node", at), ids)
    except Failed:
        return False
    return True


def judge(figures, batches, ids, victim, stopped, continued, right):
    """Who may answer: the closest node; while one is stopped and until the ring is right again also
    who is closest without it; the stopped one never while it is stopped and its leases are out."""
    others = [node for node in ids if node != victim]
    answered = 0
    wrong = []
    slowest = 0.0
    for begin, end, answers in batches:
        slowest = max(slowest, end - begin)
        for answer in answers:
            check(answer, "lookup")
            answered += 1
            first = closest(answer["key"], ids)
            allowed = {first}
            if end >= stopped and begin <= right:
                allowed.add(closest(answer["key"], others))
            if begin >= stopped + LEASE_S and end <= continued:
                allowed.discard(victim)
            if answer["root"] not in allowed:
                wrong.append({"key": answer["key"], "root": answer["root"], "closest": first,
                              "begun_s": round(begin - stopped, 2),
                              "ended_s": round(end - stopped, 2)})
    figures["answered"] = answered
    figures["wrong_roots"] = len(wrong)
    figures["examples"] = wrong[:5]
    figures["slowest_batch_s"] = round(slowest, 1)
    return wrong


def run(figures):
    with Workspace() as space:
        cluster = Cluster(space, NODES, "--leaf-set", LEAF_SET)
        ids = cluster.ids
        figures["nodes"] = NODES
        figures["rate"] = RATE
        victim = cluster.nodes[NODES // 2]
        other = next(node for node in ids if node != victim["id"])
        until(lambda: ring_is_right(space, ids, other), 20, "a right ring")
        load = Load(space, ids, victim["id"])
        time.sleep(5)

        os.kill(victim["pid"], signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            time.sleep(STOPPED_S)
        finally:
            os.kill(victim["pid"], signal.SIGCONT)
        continued = time.monotonic()
        figures["stopped_s"] = round(continued - stopped, 1)
        until(lambda: ring_is_right(space, ids, victim["id"]), 60, "the stopped node in its place")
        right = time.monotonic()
        figures["back_s"] = round(right - continued, 1)
        time.sleep(5)

        batches = load.stop()
        asked = len(batches) * BATCH
        figures["asked"] = asked
        figures["asked_per_s"] = round(asked / (batches[-1][0] - batches[0][0]))
        wrong = judge(figures, batches, ids, victim["id"], stopped, continued, right)
        cluster.stop()
    if wrong:
        raise Failed("a lookup was answered by a wrong root")
    if figures["answered"] != asked:
        raise Failed("not every lookup was answered")
    if figures["back_s"] > BACK_S:
        raise Failed(f"the stopped node was not back within {BACK_S} s")


main(run)
