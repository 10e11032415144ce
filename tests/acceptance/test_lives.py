"""Rings that go down and come back, and clusters that leave nothing behind."""

import json
import os
import signal

import pytest

from harness import Cluster, Failed, alive, check, check_ring, stop, until


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_small_rings_come_back(space, nodes):
    cluster = Cluster(space, nodes, "--leaf-set", 8)
    data = os.urandom(1000)
    file_id = space.json("put", "-", "-k", nodes, data=data)["file_id"]
    if nodes > 1:
        cluster.kill(cluster.ids[0])
        assert space.run("get", file_id, "--timeout", 30) == data
        cluster.restart()
        cluster.wait_healthy()
    cluster.kill(*cluster.ids)
    assert space.pastry("get", file_id, "--timeout", 5).code == 4
    cluster.restart()
    cluster.wait_healthy()
    check_ring(space.json("ring"), cluster.ids)
    assert space.run("get", file_id) == data
    assert cluster.stop() == 0


def test_more_copies_than_nodes(space):
    cluster = Cluster(space, 2, "--leaf-set", 8)
    done = space.pastry("put", "-", "-k", 3, "--json", "--timeout", 30, data=b"x", timeout=60)
    assert done.code == 4
    assert check(json.loads(done.err), "error")["code"] == "unavailable"
    assert space.json("put", "-", "-k", 3, "--at-least", 2, data=b"x")["copies"] == 2
    assert cluster.stop() == 0


def test_nothing_is_left_after_a_stop(space):
    cluster = Cluster(space, 4)
    pids = [node["pid"] for node in cluster.nodes]
    assert cluster.stop(signal.SIGINT) == 0
    assert not any(map(alive, pids))
    assert sorted(p.name for p in space.path.iterdir()) == ["cluster.log", "run"]
    assert list((space.path / "run").iterdir()) == []


def test_nothing_is_left_after_a_crash_of_the_supervisor(space):
    cluster = Cluster(space, 4)
    pids = [node["pid"] for node in cluster.nodes]
    cluster.stop(signal.SIGKILL)
    until(lambda: not any(map(alive, pids)), 5, "all nodes gone")
    assert space.pastry("ring").code == 4  # the next command cleans up
    assert sorted(p.name for p in space.path.iterdir()) == ["cluster.log", "run"]
    assert list((space.path / "run").iterdir()) == []


def test_data_outlives_the_cluster(space):
    data_dir = space.path / "data"
    cluster = Cluster(space, 3, "--data", data_dir)
    file_id = space.json("put", "-", data=b"to stay")["file_id"]
    ids = sorted(cluster.ids)
    second = space.pastry("cluster", "--nodes", 3, "--data", data_dir)
    assert second.code == 1 and "in use" in second.err
    assert cluster.stop() == 0
    again = Cluster(space, 3, "--data", data_dir)
    assert sorted(again.ids) == ids
    assert space.run("get", file_id) == b"to stay"
    assert again.stop() == 0


def test_hosts_group_nodes(space):
    cluster = Cluster(space, 12, "--hosts", 3, "--leaf-set", 8)
    assert len({node["pid"] for node in cluster.nodes}) == 3
    check_ring(space.json("ring"), cluster.ids)
    file_id = space.json("put", "-", data=b"spread")["file_id"]
    holders = [h for h in space.json("where", file_id)["holders"] if h["state"] == "holds"]
    assert len({h["pid"] for h in holders}) == 3
    assert cluster.stop() == 0


def lone_node(space, *words):
    """A node of no cluster, and its ready line."""
    process = space.start("node", "--json", "--profile", "lan", *words)
    line = process.stdout.readline()
    if not line:
        raise Failed(process.stderr.read().decode())
    return process, check(json.loads(line), "node")


def test_nodes_without_a_supervisor(space):
    first, ready = lone_node(space, "--create", "--data", space.path / "a")
    address = ready["nodes"][0]["endpoint"]
    second, other = lone_node(space, "--join", address, "--data", space.path / "b")
    several = space.pastry("ring")
    assert several.code == 2 and "--node" in several.err
    ids = [ready["nodes"][0]["id"], other["nodes"][0]["id"]]
    until(lambda: space.json("ring", "--node", ids[0])["complete"], 20, "a ring of two")
    check_ring(space.json("ring", "--node", ids[1][:8]), ids)
    assert stop(second) == 0
    # It comes back by the peers that it remembers.
    third, again = lone_node(space, "--data", space.path / "b")
    assert again["nodes"][0]["id"] == ids[1]
    until(lambda: space.json("ring", "--node", ids[0])["complete"], 20, "the ring of two again")
    check_ring(space.json("ring", "--node", ids[0]), ids)
    assert stop(third) == 0 and stop(first) == 0


def test_a_member_that_went_on_alone_finds_the_ring_that_it_was_named(space):
    first, ready = lone_node(space, "--create", "--data", space.path / "a")
    named = ready["nodes"][0]["endpoint"]
    words = ["--join", named, "--data", space.path / "b"]
    second, other = lone_node(space, *words)
    for node in (first, second):
        stop(node, signal.SIGKILL)
    second, _ = lone_node(space, *words)  # nobody answers: it goes on alone
    third, new = lone_node(space, "--create", "--listen", named,
                           "--data", space.path / "c")
    ids = [other["nodes"][0]["id"], new["nodes"][0]["id"]]

    def is_one():
        ring = space.json("ring", "--node", ids[1])
        return ring["complete"] and len(ring["nodes"]) == 2

    until(is_one, 30, "one ring of two")
    check_ring(space.json("ring", "--node", ids[0]), ids)
    assert stop(third) == 0 and stop(second) == 0


def test_a_member_is_one_for_good_when_it_says_that_it_is_ready(space):
    first, ready = lone_node(space, "--create", "--data", space.path / "a")
    assert stop(first, signal.SIGKILL) == -signal.SIGKILL
    first, again = lone_node(space, "--data", space.path / "a")
    assert again["nodes"][0]["id"] == ready["nodes"][0]["id"]
    second, _ = lone_node(space, "--join", again["nodes"][0]["endpoint"], "--data", space.path / "b")
    for process in (second, first):
        assert stop(process, signal.SIGKILL) == -signal.SIGKILL
    # All went down: whoever was a member founds the ring again, also if its peers stay away.
    second, _ = lone_node(space, "--data", space.path / "b")
    assert stop(second) == 0


def test_a_cluster_prefers_who_is_near_on_the_earth(space):
    places = ["48.137,11.575", "52.52,13.405", "-33.868,151.209"]
    cluster = Cluster(space, 6, "--leaf-set", 8, "--profile", "test", "--metric", "geo",
                      "--location", ";".join(places))
    near = check(space.json("nearest", "--node", cluster.ids[0]), "nearest")["nodes"]
    distances = [peer["distance"] for peer in near]
    assert distances == sorted(distances)
    # 10 m each: the other one in Munich, then Berlin; Sydney is 16,318 km away.
    assert near[0]["id"] == cluster.ids[3] and distances[0] == 0
    assert all(distance == 0 or 50_000 < distance < 51_000 or 1_600_000 < distance < 1_660_000
               for distance in distances)
    refused = space.pastry("nearest", "--within", "1s", "--json")
    assert refused.code == 2
    assert check(json.loads(refused.err), "error")["code"] == "invalid"
    # The profile finds a death out and restores the ring at once.
    cluster.kill(cluster.ids[1])
    cluster.wait_healthy(10)
    # Who comes back remembers where its peers are.
    cluster.restart()
    cluster.wait_healthy(10)
    assert cluster.stop() == 0


def test_a_cluster_on_a_globe_needs_no_locations(space):
    cluster = Cluster(space, 4, "--leaf-set", 8, "--metric", "geo", "--topology", "sphere:5ms",
                      "--seed", 3)
    near = check(space.json("nearest", "--node", cluster.ids[0]), "nearest")["nodes"]
    assert all(0 < peer["distance"] <= 2_003_000 for peer in near)
    assert cluster.stop() == 0
