"""What the acceptance tests and the show runs share: a cluster of real nodes with a runtime
directory of its own, the pastry command against it, and checks that need no oracle but the ids.

Every process that is started here is ended by its own pid.
"""

import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import jsonschema

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("PASTRY_BINARY", str(REPOSITORY / "build" / "apps" / "pastry"))
RING = 1 << 128

Done = collections.namedtuple("Done", "code out err")


class Failed(AssertionError):
    """A command did not do what it should."""


def schema(name):
    return json.loads((REPOSITORY / "docs" / "schema" / f"{name}.json").read_text())


def check(document, name):
    """Validates a command's output against its schema."""
    jsonschema.validate(document, schema(name))
    return document


class Workspace:
    """A scratch directory with a runtime directory and a home, removed at the end."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="pastry-acc-"))
        (self.path / "run").mkdir(mode=0o700)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PASTRY_")}
        self.environment.update(
            PASTRY_RUNTIME_DIR=str(self.path / "run"),
            XDG_CONFIG_HOME=str(self.path / "config"),
            TMPDIR=str(self.path),
            LC_ALL="C.UTF-8",
        )
        self.started = []

    def close(self):
        for process in self.started:
            stop(process)
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self, *words, **options):
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([BINARY, *map(str, words)], env=self.environment, **options)
        self.started.append(process)
        return process

    def pastry(self, *words, data=None, timeout=60, environment=None):
        """Runs a command to its end: exit code, bytes of stdout, text of stderr."""
        done = subprocess.run(
            [BINARY, *map(str, words)],
            env={**self.environment, **(environment or {})},
            input=data,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode())

    def run(self, *words, **options):
        done = self.pastry(*words, **options)
        if done.code != 0:
            raise Failed(f"pastry {' '.join(map(str, words))}: exit {done.code}: {done.err.strip()}")
        return done.out

    def json(self, *words, **options):
        return json.loads(self.run(*words, "--json", **options))

    def lines(self, *words, **options):
        return [json.loads(line) for line in self.run(*words, "--json", **options).splitlines()]


def stop(process, sig=signal.SIGTERM, patience=15):
    """Ends one process; its exit code."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdout, process.stderr, process.stdin):
        if stream is not None:
            stream.close()
    return process.returncode


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def until(holds, patience, what):
    deadline = time.monotonic() + patience
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {patience} s: {what}")
        time.sleep(0.1)


class Cluster:
    """`pastry cluster` with its ready line."""

    def __init__(self, space, nodes, *words):
        self.space = space
        self.log = open(space.path / "cluster.log", "ab")
        self.process = space.start("cluster", "--nodes", nodes, "--json", *words, stderr=self.log)
        line = self.process.stdout.readline()
        if not line:
            raise Failed("no ready line: " + (space.path / "cluster.log").read_text()[-2000:])
        self.ready = check(json.loads(line), "cluster")
        self.nodes = self.ready["nodes"]
        self.dead = set()

    @property
    def ids(self):
        return [node["id"] for node in self.nodes]

    @property
    def living(self):
        return [node["id"] for node in self.nodes if node["id"] not in self.dead]

    def kill(self, *ids):
        killed = check(self.space.json("cluster", "kill", *ids), "cluster-kill")["killed"]
        self.dead.update(node["id"] for node in killed)
        return killed

    def restart(self, *ids):
        words = ids or ["--all"]
        answer = check(self.space.json("cluster", "restart", *words, timeout=90), "cluster-restart")
        back = {node["id"]: node for node in answer["nodes"]}
        self.dead -= set(back)
        self.nodes = [back.get(node["id"], node) for node in self.nodes]
        for node in self.nodes:
            node.pop("state", None)

    def wait_healthy(self, seconds=60):
        done = self.space.json("cluster", "wait-healthy", "--timeout", seconds, timeout=seconds + 30)
        return check(done, "cluster-wait-healthy")

    def stop(self, sig=signal.SIGTERM):
        code = stop(self.process, sig, 20)
        self.log.close()
        return code


def closest(key, ids):
    """The id closest to the key on the ring; of two equally close ones the smaller."""
    number = int(key, 16)

    def distance(node):
        up = (int(node, 16) - number) % RING
        return min(up, RING - up), int(node, 16)

    return min(ids, key=distance)


def commands_of(space):
    """The names of all commands, as `pastry --help` lists them."""
    listed = space.run("--help").decode().split("Commands:\n")[1].split("\n\n")[0]
    return [line[2:].split("  ")[0] for line in listed.splitlines() if not line.startswith("   ")]


def random_keys(count, seed=None):
    source = random.Random(seed)
    return [f"{source.getrandbits(128):032x}" for _ in range(count)]


def check_ring(document, ids):
    """Every node's two neighbours are those of the sorted ids."""
    ring = sorted(ids)
    nodes = {node["id"]: node for node in document["nodes"]}
    if sorted(nodes) != ring:
        raise Failed(f"the ring has {len(nodes)} nodes, not {len(ring)}")
    for index, node in enumerate(ring):
        left, right = ring[index - 1], ring[(index + 1) % len(ring)]
        if len(ring) > 1 and (nodes[node]["left"], nodes[node]["right"]) != (left, right):
            raise Failed(f"node {node} has wrong neighbours")


def wrong_roots(space, ids, count, seed=None):
    """Looks random keys up; those that do not name the closest of `ids`."""
    keys = random_keys(count, seed)
    answers = space.lines("lookup", "-", data="\n".join(keys).encode(), timeout=120)
    for answer in answers:
        check(answer, "lookup")
    if [answer["key"] for answer in answers] != keys:
        raise Failed("not every key was answered in order")
    return [a for a in answers if a["root"] != closest(a["key"], ids)]


class Subscriber:
    """A `pastry sub` that collects its messages."""

    def __init__(self, space, topic, *words):
        self.messages = []
        self.gaps = []
        self.attached = threading.Event()
        self.process = space.start("sub", topic, "--json", *words, stderr=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event.get("event") == "attached":
                self.attached.set()
            elif event.get("event") == "gap":
                self.gaps.append(event)
            else:
                self.messages.append(event)

    def wait_attached(self, patience=20):
        if not self.attached.wait(patience):
            raise Failed("a subscriber was not attached in time")
        return self

    def finish(self, patience):
        """Waits for `sub --count` to end; its exit code."""
        code = self.process.wait(patience)
        self.reader.join(10)
        return code

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.reader.join(10)
