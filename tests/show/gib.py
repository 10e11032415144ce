#!/usr/bin/env python3
"""A file of 1 GiB with k=3 on 8 nodes under RLIMIT_DATA of 256 MiB: identical, and RssAnon of every
process, sampled each 100 ms, below 256 MiB."""

import hashlib
import os
import pathlib
import random
import resource
import threading

from common import Cluster, Failed, Workspace, main

SIZE = int(os.environ.get("SHOW_BYTES", str(1 << 30)))
LIMIT = 256 << 20


def write_file(path):
    source = random.Random(5)
    digest = hashlib.sha256()
    with open(path, "wb") as out:
        left = SIZE
        while left > 0:
            piece = source.randbytes(min(left, 1 << 20))
            digest.update(piece)
            out.write(piece)
            left -= len(piece)
    return digest.hexdigest()


def read_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def rss_anon(pid):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def descendants(pid):
    found = []
    try:
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *descendants(int(child))]
    except OSError:
        pass
    return found


class Sampler(threading.Thread):
    """The largest RssAnon of any pastry process below this one."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0
        self.samples = 0
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(0.1):
            self.samples += 1
            for pid in descendants(os.getpid()):
                self.peak = max(self.peak, rss_anon(pid))


def run(figures):
    with Workspace() as space:
        original = space.path / "original"
        digest = write_file(original)
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
        sampler = Sampler()
        sampler.start()
        cluster = Cluster(space, 8, "--leaf-set", 8)
        put = space.json("put", original, "-k", 3, timeout=1200)
        copy = space.path / "copy"
        get = space.json("get", put["file_id"], "-o", copy, timeout=1200)
        sampler.done.set()
        sampler.join()
        figures.update(bytes=SIZE, copies=put["copies"],
                       put_s=round(put["seconds"], 2), get_s=round(get["seconds"], 2),
                       put_mib_per_s=round(SIZE / 2**20 / put["seconds"], 1),
                       get_mib_per_s=round(SIZE / 2**20 / get["seconds"], 1),
                       rss_anon_peak_mib=round(sampler.peak / 2**20, 1), samples=sampler.samples)
        if read_digest(copy) != digest:
            raise Failed("the copy differs")
        if sampler.peak >= LIMIT:
            raise Failed("a process used 256 MiB or more")
        cluster.stop()


main(run)
