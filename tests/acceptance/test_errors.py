"""Bad input: one clear line on stderr, the right exit code, nothing left behind."""

import json
import os
import signal
import socket

import pytest

from harness import check, commands_of, stop, until

HEX = "0" * 32
FILE_ID = "0" * 64


def spoken(text):
    """The lines of stderr, but for the warning that every node gives."""
    return [line for line in text.splitlines() if "insecure:" not in line]


def fails(space, code, *words, **options):
    """The command fails with this exit code and one line; the same with --json as an object."""
    done = space.pastry(*words, **options)
    assert (done.code, done.out) == (code, b""), done
    lines = spoken(done.err)
    assert len(lines) == 1 and lines[0].startswith("pastry"), done.err
    as_json = space.pastry(*words, "--json", **options)
    assert as_json.code == code
    return check(json.loads(spoken(as_json.err)[-1]), "error")


@pytest.mark.parametrize("words", [
    ["put", "--colour", "blue", "x"],
    ["put"],
    ["put", "/etc/hostname", "-k", "0"],
    ["put", "/etc/hostname", "-k", "three"],
    ["put", "/nonexistent/file"],
    ["put", "/etc"],
    ["put", "/etc/hostname", "--at-least", "4"],
    ["get", "xyz"],
    ["get", HEX],
    ["get", FILE_ID, "--range", "5-2"],
    ["get", FILE_ID, "--range", "all"],
    ["get"],
    ["rm", "g" * 64],
    ["rm"],
    ["rm", FILE_ID, FILE_ID],
    ["where", ""],
    ["where", HEX],
    ["where", "--all"],
    ["lookup", "123"],
    ["lookup", HEX + "0"],
    ["lookup"],
    ["trace", "not-hex"],
    ["trace"],
    ["trace", HEX, HEX],
    ["nearest", "--count", "0"],
    ["nearest", "--within", "soon"],
    ["nearest", "--count"],
    ["pub", "topic", "@/nonexistent"],
    ["pub", "topic", "text", "--lines"],
    ["pub", ""],
    ["pub"],
    ["sub", "topic", "--count", "-1"],
    ["sub", ""],
    ["sub"],
    ["topic"],
    ["topic", "one", "two"],
    ["topic", "t" * 2000],
    ["status", "--timeout", "soon"],
    ["status", "--timeout", "-1"],
    ["status", "--config", "/nonexistent"],
    ["ring", "extra"],
    ["ring", "--node", "nothing?"],
    ["ring", "--timeout", "1 day"],
    ["cluster", "--nodes", "0"],
    ["cluster", "--nodes", "4", "--leaf-set", "7"],
    ["cluster", "--nodes", "4", "--topology", "klein-bottle"],
    ["cluster", "--nodes", "2", "--hosts", "3"],
    ["cluster", "--base-port", "65534"],
    ["cluster", "--overlay", "tab\there"],
    ["cluster", "bogus"],
    ["cluster", "kill"],
    ["cluster", "kill", "--all", "--random"],
    ["cluster", "kill", "--count", "none"],
    ["cluster", "kill", "--count", "2"],
    ["cluster", "kill", "abc"],
    ["cluster", "kill", "abcz"],
    ["cluster", "partition"],
    ["cluster", "partition", "abc"],
    ["cluster", "partition", "--sides", "1"],
    ["cluster", "restart"],
    ["cluster", "restart", "--count", "0"],
    ["cluster", "restart", "--random", "abcd"],
    ["cluster", "add", "--count", "0"],
    ["cluster", "add", "one"],
    ["cluster", "add", "--nodes", "3"],
    ["cluster", "pause"],
    ["cluster", "pause", "--all", "abcd"],
    ["cluster", "pause", "--random", "--count", "0"],
    ["cluster", "wait-healthy", "now"],
    ["cluster", "wait-healthy", "--timeout", "x"],
    ["cluster", "wait-healthy", "--all"],
    ["node", "--create"],
    ["node", "--data", "data"],
    ["node", "--create", "--join", "tcp://127.0.0.1:9", "--data", "data"],
    ["node", "--join", "127.0.0.1", "--data", "data"],
    ["node", "--create", "--data", "data", "--nodes", "0"],
    ["node", "--create", "--data", "data", "--id", "12"],
    ["node", "--create", "--data", "data", "--control", "tcp://0.0.0.0:99"],
    ["node", "--create", "--data", "data", "--control", "tcp://127.0.0.1:abc"],
    ["node", "--create", "--data", "data", "--control", "tcp://localhost.example.org:99"],
    ["node", "--create", "--data", "data", "--topology", "matrix:/nonexistent"],
    ["node", "--create", "--data", "data", "--metric", "smell"],
    ["node", "--create", "--data", "data", "--metric", "geo"],
    ["node", "--create", "--data", "data", "--metric", "hops", "--topology", "plane"],
    ["node", "--create", "--data", "data", "--metric", "subnet", "--listen", "tcp://localhost:0"],
    ["node", "--create", "--data", "data", "--metric", "geo", "--topology", "sphere", "--nodes", "2"],
    ["node", "--create", "--data", "data", "--location", "90.1,0"],
    ["node", "--create", "--data", "data", "--location", "1,2;3,4"],
    ["node", "--create", "--data", "data", "--location", "north"],
    ["node", "--create", "--data", "data", "--profile", "fast"],
    ["cluster", "--metric", "geo"],
    ["cluster", "--metric", "hops"],
    ["cluster", "--location", "1,2;"],
    ["cluster", "--metric", "geo", "--topology", "sphere", "--nodes", "4", "--hosts", "2"],
    ["sim", "route", "--nodes", "5", "--metric", "subnet"],
    ["sim", "route", "--nodes", "5", "--metric", "geo", "--location", "1;2"],
    ["sim", "run", "--metric", "hops", "nothing"],
    ["sim"],
    ["sim", "idle", "--nodes", "0"],
    ["sim", "idle", "--report", "page.html"],
    ["sim", "route", "--nodes", "5", "--report", "/nonexistent/page.html"],
    ["sim", "route", "--nodes", "5", "--report", "/etc"],
    ["sim", "route", "--nodes", "5", "--profile", "test"],
    ["sim", "route", "--nodes", "5", "--set", "lease"],
    ["sim", "route", "--nodes", "5", "--set", "leese=20s"],
    ["sim", "route", "--nodes", "5", "--set", "lease=soon"],
    ["sim", "route", "--nodes", "5", "--set", "lease=20s,hops_max=0"],
    ["sim", "route", "--nodes", "5", "--set", "probe_timeout=20ms"],
    ["cluster", "--nodes", "2", "--set", "hops_max=many"],
    ["sim", "route", "--nodes", "5", "--profile", "test", "--topology", "uniform:200ms"],
    ["sim", "fuzz", "--seeds", "1-"],
    ["sim", "fuzz", "--seeds", "-3"],
    ["sim", "fuzz", "--seeds", "1,2"],
    ["sim", "churn", "--trace", "/etc"],
    ["sim", "churn", "--trace", "/etc/hostname", "--nodes", "5"],
    ["sim", "churn", "--trace", "/etc/hostname", "--session-mean", "5min"],
    ["sim", "churn", "--trace", "/etc/hostname", "--returning", "0.1"],
    ["sim", "route", "--nodes", "10", "--loss", "2"],
    ["dance"],
])
def test_usage(space, words):
    assert fails(space, 2, *words)["code"] == "invalid"
    assert sorted(entry.name for entry in space.path.iterdir()) == ["run"]
    assert list((space.path / "run").iterdir()) == []


@pytest.mark.parametrize("words", [
    ["get", FILE_ID, "-o", "out"], ["put", "/etc/hostname"], ["lookup", HEX], ["trace", HEX],
    ["ring"], ["nearest"], ["status"], ["pub", "t", "x"], ["sub", "t"], ["topic", "t"], ["rm", FILE_ID],
    ["where", FILE_ID], ["cluster", "kill", "--random"], ["ring", "--node", "/nonexistent.sock"],
    ["ring", "--node", "abcd"],
])
def test_no_node_reachable(space, words):
    assert fails(space, 4, *words)["code"] == "unavailable"
    assert not os.path.exists("out")


@pytest.mark.parametrize("words, says", [
    (["sim", "fuzz", "--seeds", "x"], "A-B or A"),
    (["sim", "route", "--rest", "999999h"], "0 to 277777h"),
    (["sim", "route", "--rest", "5d"], "ms, s, min (or m) or h"),
    (["sim", "route", "--nodes", "5", "--profile", "test"], "probe_timeout is 100 ms"),
    (["cluster", "--nodes", "4", "--profile", "test", "--topology", "uniform:60ms"],
     "probe_timeout is 100 ms"),
    (["sim", "route", "--nodes", "5", "--topology", "uniform:600ms"], "probe_timeout is 1000 ms"),
    (["sim", "route", "--nodes", "5", "--set", "lease=2s"], "lease is 2 s, must be at least 5 s"),
    (["sim", "route", "--nodes", "5", "--set", "rto_max=20ms,rto_initial=20ms,rto_min=1ms"],
     "rto_max is 20 ms, must be at least probe_timeout"),
    (["sim", "route", "--nodes", "5", "--set", "leaf-set=8"], "an option of its own, --leaf-set"),
    (["sim", "route", "--nodes", "5", "--set", "leese=20s"], "no parameter is called 'leese'"),
    (["sim", "route", "--nodes", "5", "--set", "lease=soon"], "lease: not a time: 'soon'"),
    (["sim", "route", "--nodes", "5", "--set", "lease=20s,hops_max=0"],
     "hops_max is 0, must be 1"),
    (["sim", "route", "--nodes", "5", "--set", "lease=40s"], "must be at least 100 s"),
    (["sim", "churn", "--trace", "/etc"], "directory"),
])
def test_errors_say_what_to_do(space, words, says):
    assert says in space.pastry(*words).err


def test_a_group_of_commands_has_help(space):
    for words in (["sim", "--help"], ["sim", "-h"], ["help", "sim"]):
        text = space.run(*words).decode()
        assert "sim route" in text and "sim idle" in text and "cluster" not in text


def test_every_command_has_help_with_an_example(space):
    commands = commands_of(space)
    assert len(commands) >= 18
    for command in commands:
        text = space.run(*command.split(), "--help").decode()
        assert "pastry " in text.split("Example:\n")[1]
        assert "--timeout" in text and "--json" in text


def listening():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server, server.getsockname()[1]


def test_port_taken(space):
    server, port = listening()
    with server:
        data = space.path / "data"
        error = fails(space, 1, "node", "--create", "--listen", f"tcp://127.0.0.1:{port}",
                      "--data", data)
        assert str(port) in error["error"]
        assert not data.exists()
        fails(space, 1, "cluster", "--nodes", "3", "--base-port", port)
        fails(space, 1, "cluster", "--nodes", "3", "--base-port", port, "--data", data / "ring")
        assert not data.exists()
    assert list((space.path / "run").iterdir()) == []


def test_data_directory_in_the_way_or_in_use(space):
    blocked = space.path / "file"
    blocked.write_text("mine")
    fails(space, 1, "node", "--create", "--data", blocked)
    fails(space, 1, "node", "--create", "--data", "/proc/pastry")
    assert blocked.read_text() == "mine"

    data = space.path / "data"
    node = space.start("node", "--create", "--data", data, "--json")
    check(json.loads(node.stdout.readline()), "node")
    assert "in use" in fails(space, 1, "node", "--create", "--data", data)["error"]
    assert space.json("status")["nodes"] == 1
    assert stop(node) == 0
    assert list((space.path / "run").iterdir()) == []


@pytest.mark.parametrize("words", [
    ["--create", "--listen", "tcp://0.0.0.0:0"],
    ["--create", "--listen", "tcp://127.0.0.1:0", "--advertise", "tcp://192.0.2.1:4000"],
    ["--join", "tcp://192.0.2.1:4000"],
])
def test_only_loopback_without_identity(space, words):
    error = fails(space, 2, "node", *words, "--data", space.path / "data")
    assert error["code"] == "invalid" and "loopback" in error["error"]
    assert not (space.path / "data").exists()
    assert list((space.path / "run").iterdir()) == []


@pytest.mark.parametrize("words, reason", [
    (["--overlay", "elsewhere"], "another overlay"),
    (["--leaf-set", "16"], "leaf set 32"),
    (["--digit-bits", "2"], "4 bits per digit"),
    (["--set", "lease=20s"], "leases of 15s"),
    (["--profile", "lan"], "heartbeats of 30s"),
])
def test_a_node_of_another_kind_is_refused_at_once(space, words, reason):
    node = space.start("node", "--create", "--data", space.path / "first", "--json")
    endpoint = json.loads(node.stdout.readline())["nodes"][0]["endpoint"]
    error = fails(space, 2, "node", "--join", endpoint, "--data", space.path / "second", *words)
    assert reason in error["error"] and endpoint in error["error"]
    assert not (space.path / "second").exists()
    assert space.json("status")["nodes"] == 1
    assert stop(node) == 0


def test_a_member_that_comes_back_with_other_options_founds_no_second_ring(space):
    first = space.start("node", "--create", "--profile", "lan", "--data", space.path / "a", "--json")
    endpoint = json.loads(first.stdout.readline())["nodes"][0]["endpoint"]
    words = ["--join", endpoint, "--data", space.path / "b"]
    second = space.start("node", "--profile", "lan", *words, "--json")
    second.stdout.readline()
    assert stop(second) == 0
    for other in ([], ["--profile", "lan", "--set", "lease=4s"]):
        error = fails(space, 2, "node", *words, *other)
        assert "all must have the same" in error["error"]
    again = space.start("node", "--profile", "lan", *words, "--json")
    check(json.loads(again.stdout.readline()), "node")
    assert stop(again) == 0
    assert stop(first) == 0


def test_what_pub_does_with_little_and_with_much(space):
    node = space.start("node", "--create", "--data", space.path / "data", "--json")
    node.stdout.readline()

    def published(*words, data=b""):
        return space.json("pub", "topic", *words, data=data)["published"]

    assert published() == published("-") == published("--lines") == 0
    assert published("") == 1
    assert published("--lines", data=b"\n") == 1
    error = fails(space, 2, "pub", "topic", data=b"x" * (1 << 20))
    assert error["code"] == "invalid" and "at most" in error["error"]
    fails(space, 2, "pub", "topic", "-", "--lines", data=b"x" * (1 << 20) + b"\n")
    assert stop(node) == 0


def test_nobody_to_join(space):
    server, port = listening()
    server.close()
    fails(space, 4, "node", "--join", f"tcp://127.0.0.1:{port}", "--data", space.path / "data",
          "--profile", "lan", "--timeout", "2")
    assert not (space.path / "data").exists()


def test_a_first_join_that_was_killed_founds_no_ring(space):
    server, port = listening()
    server.close()
    where = ["node", "--join", f"tcp://127.0.0.1:{port}", "--data", space.path / "data",
             "--profile", "lan"]
    killed = space.start(*where)
    until(lambda: (space.path / "data" / "nodes.json").exists(), 10, "an id on disk")
    assert stop(killed, signal.SIGKILL) == -signal.SIGKILL
    # Longer than members that all went down wait before one of them founds the ring again.
    fails(space, 4, *where, "--timeout", "6")
    error = fails(space, 2, "node", "--data", space.path / "data")["error"]
    assert "never was in an overlay" in error


def test_the_node_says_that_it_is_insecure(space):
    node = space.start("node", "--create", "--data", space.path / "data", "--json")
    node.stdout.readline()
    stop_text = node.stderr.readline().decode()
    assert "insecure" in stop_text
    assert stop(node) == 0


def test_option_precedence(space):
    config = space.path / "config-file"
    config.write_text("timeout = bad-in-file\n")
    environment = {"PASTRY_TIMEOUT": "bad-in-environment"}
    by_flag = space.pastry("ring", "--config", config, "--timeout", "bad-in-flag",
                           environment=environment)
    assert "bad-in-flag" in by_flag.err
    assert "bad-in-environment" in space.pastry("ring", "--config", config,
                                                environment=environment).err
    assert "bad-in-file" in space.pastry("ring", "--config", config).err
    assert space.pastry("ring").code == 4


def test_a_cluster_whose_first_start_failed_starts_the_next_time(space):
    where = ["cluster", "--nodes", 2, "--data", space.path / "ring"]
    failed = space.pastry(*where, "--timeout", "0.01")
    assert failed.code == 5 and "timed out" in failed.err, failed
    cluster = space.start(*where, "--json", "--timeout", 30)
    assert json.loads(cluster.stdout.readline())["event"] == "ready"
    assert stop(cluster) == 0
