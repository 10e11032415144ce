#!/usr/bin/env python3
"""The whole of Pastry in under a minute: a cluster of real nodes, a file that outlives the death of
its holders, and a topic whose messages keep arriving while its tree is cut.

Prints what it does and what came of it; exits 1 if any promise is broken. Leaves nothing behind.
"""

import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

NODES = 48
LEAF_SET = 8
COPIES = 3
SUBSCRIBERS = 10
MESSAGES = 1000
RATE_PER_S = 150
MIN_FILE_BYTES = 64 << 20
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


class Broken(Exception):
    """A promise that did not hold."""


def say(text):
    print(text, flush=True)


def step(text):
    say(f"\n== {text}")


class Pastry:
    """Runs the pastry command against the demo's own cluster."""

    def __init__(self, binary, scratch):
        self.binary = str(binary)
        self.scratch = scratch
        runtime = scratch / "run"
        runtime.mkdir(mode=0o700)
        self.environment = dict(os.environ, PASTRY_RUNTIME_DIR=str(runtime))
        self.environment.pop("PASTRY_NODE", None)

    def start(self, *words, **options):
        return subprocess.Popen(
            [self.binary, *map(str, words)], env=self.environment, text=True, **options
        )

    def run(self, *words, timeout=60):
        done = subprocess.run(
            [self.binary, *map(str, words)],
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise Broken(f"pastry {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *words, timeout=60):
        return json.loads(self.run(*words, "--json", timeout=timeout))


def large_file(scratch):
    """A real file of this machine of at least 64 MiB, or an archive of its compiler."""
    best = None
    for folder in ("/usr/lib", "/usr/bin", "/usr/libexec"):
        for path in pathlib.Path(folder).rglob("*"):
            try:
                if path.is_symlink() or not path.is_file():
                    continue
                size = path.stat().st_size
            except OSError:
                continue
            if size >= MIN_FILE_BYTES and (best is None or size < best.stat().st_size):
                best = path
    if best is not None:
        return best
    archive = scratch / "usr-lib.tar"
    with subprocess.Popen(["tar", "-cf", "-", "/usr/lib/gcc", "/usr/include", "/usr/lib"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tar:
        with open(archive, "wb") as out:
            left = MIN_FILE_BYTES + (1 << 20)
            while left > 0 and (piece := tar.stdout.read(min(left, 1 << 20))):
                out.write(piece)
                left -= len(piece)
        tar.kill()
    return archive


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def start_cluster(pastry):
    step(f"A cluster of {NODES} nodes, each a process of its own (leaf set of {LEAF_SET})")
    cluster = pastry.start(
        "cluster", "--nodes", NODES, "--leaf-set", LEAF_SET, "--data", pastry.scratch / "data",
        "--json", stdout=subprocess.PIPE, stderr=open(pastry.scratch / "cluster.log", "w"),
    )
    line = cluster.stdout.readline()
    if not line:
        cluster.wait(10)
        raise Broken("the cluster did not start: "
                     + (pastry.scratch / "cluster.log").read_text()[-2000:])
    ready = json.loads(line)
    say(f"ready after {ready['seconds']:.1f} s: {len(ready['nodes'])} nodes, "
        f"first {ready['nodes'][0]['id']} at {ready['nodes'][0]['endpoint']}")
    return cluster, ready


def kill(pastry, holders):
    for holder in holders:
        pastry.run("cluster", "kill", holder["id"])


def show_file(pastry, ready):
    path = large_file(pastry.scratch)
    size = path.stat().st_size
    step(f"Store {path} ({size / 2**20:.0f} MiB) on {COPIES} nodes")
    before = sha256(path)
    put = pastry.json("put", path, "-k", COPIES, timeout=120)
    say(f"file {put['file_id']}\n"
        f"stored with {put['copies']} of {put['wanted']} copies in {put['seconds']:.2f} s "
        f"({size / 2**20 / put['seconds']:.0f} MiB/s, every copy synced)")
    holders = pastry.json("where", put["file_id"])["holders"]
    for holder in holders:
        say(f"  holder {holder['id']} pid {holder.get('pid')} {holder['state']}")
    if len(holders) != COPIES:
        raise Broken(f"{len(holders)} holders, wanted {COPIES}")

    victims = holders[:2]
    step("Kill two of its three holders with SIGKILL, read it back through another node")
    kill(pastry, victims)
    held_by = {holder["id"] for holder in holders}
    reader = random.choice([n["id"] for n in ready["nodes"] if n["id"] not in held_by])
    copy = pastry.scratch / "copy"
    started = time.monotonic()
    pastry.run("get", put["file_id"], "-o", copy, "--node", reader, timeout=120)
    seconds = time.monotonic() - started
    if sha256(copy) != before:
        raise Broken("the file that came back is not the file that was stored")
    say(f"read through {reader} in {seconds:.2f} s: identical, byte for byte")
    copy.unlink()

    step("Wait for the repair")
    started = time.monotonic()
    dead = {victim["id"] for victim in victims}
    while True:
        where = pastry.json("where", put["file_id"], "--node", reader)
        live = [h for h in where["holders"] if h["id"] not in dead and h["state"] == "holds"]
        if len(live) >= COPIES:
            break
        if time.monotonic() - started > 30:
            raise Broken(f"only {len(live)} copies 30 s after the holders died")
        time.sleep(0.3)
    say(f"{len(live)} live copies again after {time.monotonic() - started:.1f} s")
    for holder in live:
        say(f"  holder {holder['id']} {holder['state']}")
    return dead


class Subscriber:
    """A `pastry sub` on one node; collects what it prints."""

    def __init__(self, pastry, topic, node):
        self.node = node
        self.numbers = []
        self.gaps = 0
        self.attached = threading.Event()
        self.process = pastry.start(
            "sub", topic, "--node", node, "--json", "--timeout", "120s",
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event.get("event") == "attached":
                self.attached.set()
            elif event.get("event") == "gap":
                self.gaps += 1
            elif "payload" in event:
                self.numbers.append(int(event["payload"].split()[1]))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)


def print_tree(tree):
    children = {}
    for member in tree["members"]:
        if member["id"] != member["parent"]:
            children.setdefault(member["parent"], []).append(member)

    def show(member, depth):
        mark = " *" if member["subscribers"] else ""
        say(f"  {'   ' * depth}{member['id'][:8]}{mark}")
        for child in children.get(member["id"], []):
            show(child, depth + 1)

    for member in tree["members"]:
        if member["id"] == member["parent"]:
            show(member, 0)


def parents(tree):
    return {member["id"]: member["parent"] for member in tree["members"]}


def publish(pastry, topic, node):
    """Feeds `pub --lines` at a steady rate; returns its process and the feeding thread."""
    process = pastry.start("pub", topic, "--lines", "--node", node, "--json", "--timeout", "120s",
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def feed():
        start = time.monotonic()
        for number in range(MESSAGES):
            delay = start + number / RATE_PER_S - time.monotonic()
            if delay > 0:
                time.sleep(delay)
            process.stdin.write(f"message {number}\n")
            process.stdin.flush()
        process.stdin.close()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    return process, feeder


def choose_victim(tree, ours):
    """A forwarder with at least two children that is neither the root nor one of our own nodes."""
    counts = {}
    for member in tree["members"]:
        if member["id"] != member["parent"]:
            counts[member["parent"]] = counts.get(member["parent"], 0) + 1
    root = [m["id"] for m in tree["members"] if m["id"] == m["parent"]]
    return [n for n, c in sorted(counts.items(), key=lambda item: -item[1])
            if c >= 2 and n not in ours and n not in root]


def attach(pastry, topic, nodes):
    subscribers = [Subscriber(pastry, topic, node) for node in nodes]
    for subscriber in subscribers:
        if not subscriber.attached.wait(20):
            raise Broken(f"the subscriber on {subscriber.node} was not attached within 20 s")
    return subscribers


def grow_tree(pastry, live):
    """Subscribes ten nodes to a topic whose tree has a pure forwarder with two children."""
    for attempt in range(8):
        topic = f"demo/{attempt}"
        chosen = random.sample(live, SUBSCRIBERS + 1)
        subscribers = attach(pastry, topic, chosen[1:])
        tree = pastry.json("topic", topic, "--node", chosen[0])
        victims = choose_victim(tree, set(chosen))
        if victims:
            return topic, chosen[0], subscribers, tree, victims[0]
        for subscriber in subscribers:
            subscriber.stop()
    raise Broken("no tree with a forwarder of two children in eight tries")


def show_topic(pastry, ready, dead):
    step(f"A topic with {SUBSCRIBERS} subscribers on distinct nodes")
    live = [node["id"] for node in ready["nodes"] if node["id"] not in dead]
    topic, publisher, subscribers, tree, victim = grow_tree(pastry, live)
    say(f"tree of {topic} (* = subscriber):")
    print_tree(tree)

    step(f"Publish {MESSAGES} messages; kill the forwarder {victim[:8]} in the middle")
    process, feeder = publish(pastry, topic, publisher)
    time.sleep(MESSAGES / RATE_PER_S / 3)
    pastry.run("cluster", "kill", victim)
    feeder.join(90)
    output = process.stdout.read()  # ends with the process, which has a timeout of its own
    process.wait(10)
    published = json.loads(output.strip().splitlines()[-1])
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and any(len(set(s.numbers)) < MESSAGES for s in subscribers):
        time.sleep(0.1)
    after = pastry.json("topic", topic, "--node", publisher)
    for subscriber in subscribers:
        subscriber.stop()

    say(f"published {published['published']}, acknowledged {published['acknowledged']}")
    say("  subscriber  received  duplicates  lost  out of order")
    received = duplicates = disorder = 0
    for subscriber in subscribers:
        distinct = set(subscriber.numbers)
        twice = len(subscriber.numbers) - len(distinct)
        unordered = sum(a >= b for a, b in zip(subscriber.numbers, subscriber.numbers[1:]))
        say(f"  {subscriber.node[:8]}    {len(distinct):8d}  {twice:10d}  "
            f"{MESSAGES - len(distinct):4d}  {unordered:12d}")
        received += len(distinct)
        duplicates += twice
        disorder += unordered
    old, new = parents(tree), parents(after)
    for node, parent in old.items():
        if parent == victim and node in new:
            say(f"  {node[:8]}: parent was {parent[:8]}, is {new[node][:8]}")
    share = received / (MESSAGES * SUBSCRIBERS)
    say(f"{share:.2%} of {MESSAGES * SUBSCRIBERS} deliveries, {duplicates} duplicates, "
        f"{disorder} out of order")
    if share < 0.999 or duplicates or disorder:
        raise Broken("the topic lost, repeated or reordered messages")


def stop_cluster(cluster, ready):
    step("Stop")
    cluster.send_signal(signal.SIGINT)
    try:
        code = cluster.wait(20)
    except subprocess.TimeoutExpired:
        cluster.kill()
        cluster.wait()
        raise Broken("the cluster did not stop within 20 s") from None
    if code != 0:
        raise Broken(f"the cluster ended with exit code {code}")
    left = [n["pid"] for n in ready["nodes"] if pathlib.Path(f"/proc/{n['pid']}").exists()]
    if left:
        raise Broken(f"processes left behind: {left}")


def main():
    binary = REPOSITORY / "build" / "apps" / "pastry"
    if len(sys.argv) > 1:
        binary = pathlib.Path(sys.argv[1])
    started = time.monotonic()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="pastry-demo-"))
    cluster = None
    try:
        pastry = Pastry(binary, scratch)
        cluster, ready = start_cluster(pastry)
        dead = show_file(pastry, ready)
        show_topic(pastry, ready, dead)
        stop_cluster(cluster, ready)
        cluster = None
    except Broken as broken:
        print(f"demo: {broken}", file=sys.stderr)
        return 1
    finally:
        if cluster is not None:
            cluster.send_signal(signal.SIGTERM)
            try:
                cluster.wait(20)
            except subprocess.TimeoutExpired:
                cluster.kill()
        shutil.rmtree(scratch, ignore_errors=True)
    say(f"no process and no file left behind; {time.monotonic() - started:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
