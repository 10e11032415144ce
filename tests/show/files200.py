#!/usr/bin/env python3
"""24 processes, 200 files of 0 bytes to 8 MiB, 20 rounds: kill two of a file's three holders, read
everything back through a survivor, wait until healthy, restart the dead."""

import hashlib
import os
import random
import sys

from common import Cluster, Failed, Workspace, main

NODES = 24
FILES = int(os.environ.get("SHOW_FILES", "200"))
ROUNDS = int(os.environ.get("SHOW_ROUNDS", "20"))
LARGEST = 8 << 20


def sizes():
    source = random.Random(1)
    fixed = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, LARGEST]
    return fixed + [int(LARGEST ** source.random()) for _ in range(FILES - len(fixed))]


def run(figures):
    with Workspace() as space:
        cluster = Cluster(space, NODES, "--leaf-set", 8)
        stored = {}
        for index, size in enumerate(sizes()):
            data = random.Random(index).randbytes(size)
            put = space.json("put", "-", "--name", f"file-{index}", "-k", 3, data=data)
            stored[put["file_id"]] = hashlib.sha256(data).hexdigest()
        figures.update(files=len(stored), bytes=sum(sizes()), rounds=0, reads=0)
        for number in range(ROUNDS):
            file_id = random.choice(list(stored))
            where = space.json("where", file_id)["holders"]
            holders = [h["id"] for h in where if h["state"] == "holds"]
            if len(holders) < 3:
                raise Failed(f"round {number}: {file_id} has {len(holders)} copies: {where}")
            victims = holders[:2]
            cluster.kill(*victims)
            reader = random.choice(cluster.living)
            for other, digest in stored.items():
                data = space.run("get", other, "--node", reader, timeout=120)
                if hashlib.sha256(data).hexdigest() != digest:
                    raise Failed(f"round {number}: {other} came back different")
                figures["reads"] += 1
            healthy = cluster.wait_healthy(120)
            figures["healthy_s_max"] = max(figures.get("healthy_s_max", 0),
                                           round(healthy["seconds"], 1))
            cluster.restart(*victims)
            cluster.wait_healthy(120)
            figures["rounds"] += 1
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
        cluster.stop()


main(run)
