"""A cluster of real nodes: the ring, lookups, traces, files, topics, deaths and returns."""

import math
import os
import random
import subprocess

import pytest

from harness import (Failed, Subscriber, check, check_ring, closest, random_keys, until,
                     wrong_roots)


def test_ready_names_a_ring_that_every_node_confirms(cluster):
    ring = check(cluster.space.json("ring"), "ring")
    check_ring(ring, cluster.ids)
    assert ring["complete"]


def test_lookups_name_the_closest_id(cluster):
    assert wrong_roots(cluster.space, cluster.ids, 300) == []


def test_traces_are_short_and_end_at_the_root(cluster):
    bound = math.ceil(math.log(len(cluster.ids), 16)) + 1
    for key in random_keys(20):
        trace = check(cluster.space.json("trace", key), "trace")
        path = [hop["id"] for hop in trace["path"]]
        assert path[-1] == closest(key, cluster.ids)
        assert len(path) - 1 <= bound, trace


def test_the_nearest_nodes_come_nearest_first(cluster):
    space, node = cluster.space, cluster.ids[0]
    everybody = check(space.json("nearest", "--count", 1000, "--node", node), "nearest")
    assert everybody["node"] == node
    found = [peer["id"] for peer in everybody["nodes"]]
    assert len(found) == len(set(found)) > 0
    assert set(found) <= set(cluster.ids) - {node}
    times = [peer["round_trip"] for peer in everybody["nodes"]]
    assert times == sorted(times)
    # The tables change with every measurement: only what holds at any time.
    near = check(space.json("nearest", "--within", "30min", "--count", 2, "--node", node), "nearest")
    assert len(near["nodes"]) == min(2, len(found))
    text = space.run("nearest", "--count", 1, "--node", node).decode()
    assert text.startswith(f"node {node} ")
    none = check(space.json("nearest", "--within", "1e-9", "--node", node), "nearest")
    assert none["nodes"] == []


def test_status_says_healthy(cluster):
    cluster.wait_healthy()
    status = check(cluster.space.json("status"), "status")
    assert status["verdict"] == "healthy"
    assert status["nodes"] == len(cluster.ids)


def test_a_named_node_answers(cluster):
    node = random.choice(cluster.ids)
    path = cluster.space.json("trace", random_keys(1)[0], "--node", node)["path"]
    assert path[0]["id"] == node


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20])
def test_files_come_back_identical(cluster, size):
    space = cluster.space
    data = random.Random(size).randbytes(size)
    put = check(space.json("put", "-", "--name", f"file-{size}", "-k", 3, data=data), "put")
    assert (put["size"], put["copies"], put["wanted"]) == (size, 3, 3)
    assert space.run("get", put["file_id"]) == data
    where = check(space.json("where", put["file_id"]), "where")
    holding = [h for h in where["holders"] if h["state"] == "holds"]
    assert where["copies"] == 3 and len({h["pid"] for h in holding}) == 3


def test_ranges(cluster):
    space = cluster.space
    data = random.Random(7).randbytes((2 << 20) + 77)
    file_id = space.json("put", "-", data=data)["file_id"]
    for first, last in [(0, 0), (10, 19), ((1 << 20) - 3, (1 << 20) + 3), (len(data) - 5, len(data) + 9)]:
        assert space.run("get", file_id, "--range", f"{first}-{last}") == data[first:last + 1]
    assert space.run("get", file_id, "--range", f"{2 << 20}-") == data[2 << 20:]


def test_get_writes_a_file_or_nothing(cluster):
    space = cluster.space
    file_id = space.json("put", "-", data=b"hello")["file_id"]
    out = space.path / "out" / "copy"
    assert space.pastry("get", file_id, "-o", out).code == 1
    out.parent.mkdir()
    document = check(space.json("get", file_id, "-o", out), "get")
    assert out.read_bytes() == b"hello" and document["size"] == 5
    assert space.pastry("get", "f" * 64, "-o", out).code == 3
    assert out.read_bytes() == b"hello"
    assert [p.name for p in out.parent.iterdir()] == ["copy"]


def test_get_writes_through_links_and_pipes(cluster):
    space = cluster.space
    file_id = space.json("put", "-", data=b"hello")["file_id"]
    target, link, pipe = (space.path / name for name in ("target", "link", "pipe"))
    target.write_bytes(b"old")
    link.symlink_to(target)
    space.run("get", file_id, "-o", link)
    assert link.is_symlink() and target.read_bytes() == b"hello"
    os.mkfifo(pipe)
    process = space.start("get", file_id, "-o", pipe)
    assert pipe.read_bytes() == b"hello"
    assert process.wait(20) == 0 and pipe.is_fifo()


def test_removed_files_are_not_found(cluster):
    space = cluster.space
    file_id = space.json("put", "-", data=b"x" * 100)["file_id"]
    check(space.json("rm", file_id), "rm")
    assert space.pastry("get", file_id).code == 3
    assert space.pastry("rm", file_id).code == 3


def test_more_copies_than_can_be(cluster):
    space = cluster.space
    assert space.pastry("put", "-", "-k", 6, data=b"x").code == 2  # l/2 + 1 = 5
    assert space.pastry("put", "-", "-k", 5, data=b"x").code == 0


def test_subscribers_get_every_line_in_order(cluster):
    space = cluster.space
    count = 2000
    nodes = random.sample(cluster.ids, 6)
    subscribers = [Subscriber(space, "lines", "--node", node, "--count", count) for node in nodes]
    for subscriber in subscribers:
        subscriber.wait_attached()
    lines = "".join(f"line {n}\n" for n in range(count)).encode()
    result = check(space.json("pub", "lines", "-", "--lines", data=lines), "pub")
    assert result == {"topic": "lines", "published": count, "acknowledged": count}
    for subscriber in subscribers:
        assert subscriber.finish(60) == 0
        assert [m["payload"] for m in subscriber.messages] == [f"line {n}" for n in range(count)]
        assert subscriber.gaps == []
        check(subscriber.messages[0], "sub")


def test_bytes_that_are_not_text(cluster):
    space = cluster.space
    subscriber = Subscriber(space, "bytes", "--count", 1).wait_attached()
    space.run("pub", "bytes", "-", data=b"\xff\x00\xfe")
    assert subscriber.finish(30) == 0
    assert check(subscriber.messages[0], "sub")["payload_base64"] == "/wD+"


def test_the_tree_of_a_topic(cluster):
    space = cluster.space
    nodes = random.sample(cluster.ids, 4)
    subscribers = [Subscriber(space, "tree", "--node", node).wait_attached() for node in nodes]
    try:
        tree = check(space.json("topic", "tree"), "topic")
        members = {member["id"]: member for member in tree["members"]}
        assert tree["root"] == closest(tree["group"], cluster.ids)
        assert set(nodes) <= set(members)
        for node in nodes:
            seen = set()
            while members[node]["parent"] != node:
                assert node not in seen, "a loop"
                seen.add(node)
                node = members[node]["parent"]
            assert node == tree["root"]
    finally:
        for subscriber in subscribers:
            subscriber.stop()


def test_a_file_outlives_two_of_its_holders(cluster):
    space = cluster.space
    data = random.Random(3).randbytes(3 << 20)
    file_id = space.json("put", "-", "-k", 3, data=data)["file_id"]
    holders = [h for h in space.json("where", file_id)["holders"] if h["state"] == "holds"]
    victims = [holder["id"] for holder in holders[:2]]
    cluster.kill(*victims)
    reader = random.choice([n for n in cluster.living if n != holders[2]["id"]])
    assert space.run("get", file_id, "--node", reader) == data

    def repaired():
        where = space.json("where", file_id, "--node", reader)
        return len([h for h in where["holders"]
                    if h["state"] == "holds" and h["id"] not in victims]) >= 3

    until(repaired, 45, "three copies again")
    cluster.wait_healthy()
    check_ring(space.json("ring"), cluster.living)
    assert wrong_roots(space, cluster.living, 100) == []
    cluster.restart(*victims)
    cluster.wait_healthy()
    check_ring(space.json("ring"), cluster.ids)
    assert space.run("get", file_id) == data


def test_pause_add_and_their_errors(cluster):
    space = cluster.space
    victim = cluster.ids[0]
    paused = check(space.json("cluster", "pause", victim), "cluster-pause")["paused"]
    assert [node["id"] for node in paused] == [victim]
    check(space.json("cluster", "pause", victim, "--resume"), "cluster-pause")
    assert space.pastry("cluster", "restart", victim).code == 3
    for words in (["kill", "123"], ["kill", "12c"], ["kill", "node-1"], ["kill", "--count", 2],
                  ["partition", "12c"], ["partition", "123"], ["partition", *cluster.ids]):
        refused = space.pastry("cluster", *words)
        assert refused.code == 2, (words, refused)
    assert "four digits" in space.pastry("cluster", "kill", "12c").err
    assert "four digits" in space.pastry("cluster", "kill", "123").err
    cluster.wait_healthy()
