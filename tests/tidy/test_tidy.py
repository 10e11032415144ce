"""The house rules applied to the whole tree, and a planted violation for each of them."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rules

ROOT = Path(__file__).resolve().parents[2]
CODE = (".h", ".cc")


def violations(rule, suffixes):
    found = []
    for path in rules.source_files(ROOT, suffixes):
        found += rule(path.as_posix(), (ROOT / path).read_text())
    return found


def report(found):
    assert not found, "\n" + "\n".join(found)


# --- The tree ---


def test_rooms_include_only_what_they_may_know():
    report(violations(rules.include_violations, CODE))


def test_pure_archives_use_no_clock_socket_thread_or_file():
    archives = [name for name in os.environ.get("PASTRY_PURE_ARCHIVES", "").split(":") if name]
    if not archives:
        pytest.skip("no archives named in PASTRY_PURE_ARCHIVES (run through meson)")
    report([line for archive in archives for line in rules.symbol_violations(archive)])


def test_headers_begin_with_their_purpose():
    report(violations(rules.header_violations, (".h",)))


def test_sources_include_their_own_header_first():
    found = []
    for path in rules.source_files(ROOT, (".cc",)):
        exists = (ROOT / path).with_suffix(".h").exists()
        found += rules.first_include_violations(path.as_posix(), (ROOT / path).read_text(), exists)
    report(found)


def test_headers_without_a_source_compile_alone():
    build = os.environ.get("PASTRY_BUILD_ROOT")
    if not build:
        pytest.skip("no PASTRY_BUILD_ROOT for generated headers (run through meson)")
    headers = [path for path in rules.source_files(ROOT, (".h",))
               if path.parts[0] != "tests" and not (ROOT / path).with_suffix(".cc").exists()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: rules.compile_violations(ROOT, path, (ROOT, build)), headers)
    report([line for result in results for line in result])


def test_files_are_short():
    report(violations(rules.length_violations, CODE + (".py", ".capnp")))


def test_wording():
    report(violations(rules.wording_violations,
                      CODE + (".py", ".md", ".capnp", ".build", ".txt", ".sh", ".json", "")))


def test_sources_are_formatted():
    if shutil.which("clang-format") is None:
        pytest.skip("clang-format is not installed (./run format installs it)")
    report(rules.format_violations(ROOT, rules.source_files(ROOT, CODE)))


def test_every_parameter_has_a_name():
    core = ROOT / "pastry/core"
    report(rules.parameter_violations((core / "config.h").read_text(),
                                      (core / "parameters.cc").read_text()))


# --- The rules: each finds what was planted ---


@pytest.mark.parametrize("path, header", [
    ("pastry/core/a.cc", '"pastry/wire/codec.h"'),
    ("pastry/core/a.cc", "<capnp/message.h>"),
    ("pastry/core/a.h", "<thread>"),
    ("pastry/core/a.h", "<sys/socket.h>"),
    ("pastry/core/a.h", '"pastry/sim/simulator.h"'),
    ("proximity/a.h", '"pastry/core/id.h"'),
    ("pastry/wire/a.h", '"pastry/zmq/host.h"'),
    ("pastry/wire/a.h", "<zmq.hpp>"),
    ("pastry/sim/a.h", '"past/past.h"'),
    ("pastry/sim/a.h", "<zmq.h>"),
    ("pastry/zmq/a.h", '"scribe/scribe.h"'),
    ("pastry/replica/replica.cc", "<lmdb.h>"),
    ("pastry/replica/replica.cc", '"past/past.h"'),
    ("past/a.cc", '"scribe/scribe.h"'),
    ("past/a.cc", '"pastry/wire/codec.h"'),
    ("scribe/a.cc", "<openssl/evp.h>"),
    ("scribe/a.cc", "<fstream>"),
])
def test_finds_a_wrong_include(path, header):
    assert rules.include_violations(path, f"// x\n#include {header}\n")


@pytest.mark.parametrize("path, header", [
    ("pastry/core/a.cc", '"pastry/core/id.h"'),
    ("pastry/core/a.cc", "<tl/expected.hpp>"),
    ("pastry/core/a.cc", "<vector>"),
    ("pastry/core/a.cc", '"proximity/proximity.h"'),
    ("pastry/wire/a.cc", "<capnp/message.h>"),
    ("pastry/replica/lmdb_file.cc", "<lmdb.h>"),
    ("pastry/zmq/a.cc", "<sys/eventfd.h>"),
    ("apps/a.cc", '"scribe/scribe.h"'),
])
def test_lets_a_right_include_pass(path, header):
    assert rules.include_violations(path, f"// x\n#include {header}\n") == []


@pytest.mark.parametrize("code, symbol", [
    ("#include <ctime>\nlong f() { return time(nullptr); }", "time"),
    ("#include <chrono>\nlong f() { return std::chrono::steady_clock::now()"
     ".time_since_epoch().count(); }", "clock"),
    ("#include <random>\nunsigned f() { std::random_device d; return d(); }", "random_device"),
    ("#include <sys/socket.h>\nint f() { return socket(1, 2, 3); }", "socket"),
    ("#include <fstream>\nbool f() { return std::ifstream(\"x\").good(); }", "fstream"),
    ("#include <thread>\nvoid f() { std::thread([] {}).join(); }", "thread"),
    ("namespace pastry { extern unsigned char planted_bug; }\n"
     "bool f() { return pastry::planted_bug == 1; }", "planted_bug"),
    ("#include <fcntl.h>\nint f() { return open(\"x\", 0); }", "open"),
])
def test_finds_an_impure_symbol(tmp_path, code, symbol):
    archive = make_archive(tmp_path, code)
    assert any(symbol in line for line in rules.symbol_violations(archive))


def test_lets_memory_operations_pass(tmp_path):
    archive = make_archive(tmp_path, "#include <map>\n#include <string>\n#include <cstring>\n"
                           "int f(std::map<int, std::string>& m) { m[1] = \"x\";"
                           " return std::memcmp(m[1].data(), m[2].data(), m.size()); }")
    assert rules.symbol_violations(archive) == []


def make_archive(tmp_path, code):
    (tmp_path / "a.cc").write_text(code)
    subprocess.run(["g++", "-std=c++20", "-c", "a.cc", "-o", "a.o"], cwd=tmp_path, check=True)
    subprocess.run(["ar", "rcs", "liba.a", "a.o"], cwd=tmp_path, check=True)
    return tmp_path / "liba.a"


def test_finds_a_header_without_purpose_or_guard():
    assert len(rules.header_violations("a.h", "#include <vector>\n")) == 2
    assert rules.header_violations("a.h", "// Why.\n#pragma once\n") == []


def test_finds_a_header_that_does_not_compile_alone(tmp_path):
    (tmp_path / "bad.h").write_text("// Bad.\n#pragma once\nstd::string f();\n")
    (tmp_path / "good.h").write_text("// Good.\n#pragma once\n#include <string>\nstd::string f();\n")
    assert rules.compile_violations(tmp_path, "bad.h", (tmp_path,))
    assert rules.compile_violations(tmp_path, "good.h", (tmp_path,)) == []


def test_finds_a_source_that_hides_its_header():
    rule = rules.first_include_violations
    assert rule("past/a.cc", '#include <map>\n#include "past/a.h"\n', True)
    assert rule("past/a.cc", '#include "past/a.h"\n#include <map>\n', True) == []
    assert rule("past/a.cc", "#include <map>\n", False) == []


def test_finds_a_long_file():
    assert rules.length_violations("a.cc", "x\n" * (rules.LINES_MAX + 1))
    assert rules.length_violations("a.cc", "x\n" * rules.LINES_MAX) == []


@pytest.mark.parametrize("text", [
    "// TO" + "DO: more", "// FIX" + "ME", "as said in the last" + " session", "an AI" + " agent",
    "this is not" + " implemented", "see /wo" + "rk/x", "cp /ro" + "ot/x y",
])
def test_finds_wording(text):
    assert rules.wording_violations("a.md", "fine\n" + text + "\n")


def test_finds_what_is_not_formatted(tmp_path):
    if shutil.which("clang-format") is None:
        pytest.skip("clang-format is not installed (./run format installs it)")
    shutil.copy(ROOT / ".clang-format", tmp_path)
    (tmp_path / "a.cc").write_text("int   f( ){return 1 ;}\n")
    assert rules.format_violations(tmp_path, ["a.cc"])
    (tmp_path / "a.cc").write_text("int f() { return 1; }\n")
    assert rules.format_violations(tmp_path, ["a.cc"]) == []


def test_finds_a_parameter_without_its_name():
    config = "struct Config {\n  int digit_bits = 4;\n  Duration lease = seconds(15);\n"
    assert rules.parameter_violations(config, 'Parameter{"lease", &Config::lease},') == []
    assert len(rules.parameter_violations(config, 'Parameter{"lease", &Config::least},')) == 1
    assert len(rules.parameter_violations(config, "")) == 1
