"""The house rules that a program can check. Each rule returns the violations it finds, as text."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOMS_TOP = ("proximity", "pastry", "past", "scribe", "apps")
LINES_MAX = 450


@dataclass(frozen=True)
class Room:
    """What the files of a room may include: rooms of the project, and headers of libraries."""

    project: tuple
    libraries: tuple = ()
    any_system: bool = False  # operating system headers (sockets, files)


_CAPNP = ("capnp/", "kj/")
# The longest prefix of a file's path decides which room it is in.
ROOMS = {
    "proximity/": Room(("proximity/",), ("tl/expected.hpp",)),
    "pastry/core/": Room(("pastry/core/", "proximity/"), ("tl/expected.hpp",)),
    # inet_pton and the address structures it fills, not sockets.
    "pastry/wire/": Room(("pastry/wire/", "pastry/core/", "proximity/"),
                         _CAPNP + ("arpa/inet.h", "netinet/in.h")),
    "pastry/identity/": Room(("pastry/identity/", "pastry/core/", "proximity/"),
                             ("openssl/", "nlohmann/"), any_system=True),
    "pastry/replica/": Room(("pastry/replica/", "pastry/core/", "proximity/"), _CAPNP),
    "pastry/zmq/": Room(("pastry/zmq/", "pastry/wire/", "pastry/identity/", "pastry/core/",
                         "proximity/"), ("zmq.h", "zmq.hpp", "spdlog/", "fmt/"), any_system=True),
    # They measure the simulator's own memory and time, and ask for huge pages for its heap.
    "pastry/sim/": Room(("pastry/sim/", "pastry/wire/", "pastry/core/", "proximity/"),
                        ("malloc.h", "sys/mman.h", "sys/resource.h", "unistd.h",
                         "boost/histogram.hpp")),
    "past/": Room(("past/", "pastry/replica/", "pastry/core/", "proximity/"), _CAPNP),
    "scribe/": Room(("scribe/", "pastry/replica/", "pastry/core/", "proximity/"), _CAPNP),
}
# The store engines are the only part of pastry/replica that touches files.
STORE_ENGINE = re.compile(r"pastry/replica/(lmdb_|directory_lock|store_format)")
STORE_ROOM = Room(ROOMS["pastry/replica/"].project, ("lmdb.h",), any_system=True)
# Standard headers of clocks that run, threads, files and true randomness; for the pure rooms.
IMPURE_STANDARD = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore",
                   "barrier", "latch", "stop_token", "fstream", "filesystem", "iostream", "ctime",
                   "time.h", "csignal", "cstdio"}
PURE_ROOMS = ("proximity/", "pastry/core/", "past/", "scribe/", "pastry/replica/")

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_C_STANDARD = {"stdlib.h", "string.h", "stdint.h", "stddef.h", "math.h", "inttypes.h"}
_SYSTEM = re.compile(r"^(sys/|net/|netinet/|arpa/|linux/|unistd\.h|fcntl\.h|poll\.h|signal\.h|"
                     r"pthread\.h|netdb\.h|dirent\.h|errno\.h|time\.h|sched\.h)")


def source_files(root, suffixes):
    """Files of the project with one of the suffixes, relative to its root, in order."""
    found = []
    for top in ROOMS_TOP + ("tests", "tools", "docs", ".ci"):
        found += [path for path in (root / top).rglob("*") if path.is_file()]
    found += [path for path in root.glob("*") if path.is_file()]
    return sorted(path.relative_to(root) for path in found
                  if path.suffix in suffixes and "__pycache__" not in path.parts)


def room_of(path):
    if STORE_ENGINE.match(path):
        return STORE_ROOM
    names = [name for name in ROOMS if path.startswith(name)]
    return ROOMS[max(names, key=len)] if names else None


def include_violations(path, text):
    """Includes that the table of rooms does not allow. `path`: relative, with slashes."""
    room = room_of(path)
    if room is None:
        return []
    pure = path.startswith(PURE_ROOMS) and room is not STORE_ROOM
    bad = []
    for kind, header in _INCLUDE.findall(text):
        if kind == '"' or header.startswith(tuple(ROOMS)):
            allowed = header.startswith(room.project)
        elif header.startswith(room.libraries):
            allowed = True
        elif _SYSTEM.match(header):
            allowed = room.any_system
        elif "/" in header or ("." in header and header not in _C_STANDARD):
            allowed = False  # a library that is not in the room's list
        else:
            allowed = not (pure and header in IMPURE_STANDARD)
        if not allowed:
            bad.append(f"{path}: must not include {header}")
    return bad


# What a state machine has no business with: clocks, sockets, threads, files, true randomness; and
# the switch of planted bugs, which only the build of tests/mutants has.
FORBIDDEN_SYMBOL = re.compile(
    r"^(clock|clock_gettime|gettimeofday|time|nanosleep|clock_nanosleep|usleep|sleep|"
    r"socket|connect|bind|listen|accept4?|send|sendto|sendmsg|recv|recvfrom|recvmsg|"
    r"poll|ppoll|select|epoll_\w+|eventfd|timerfd_\w+|zmq_\w+|"
    r"pthread_create|pthread_mutex_lock|fork|vfork|execve|posix_spawn\w*|"
    r"getrandom|getentropy|rand|srand|rand_r|random|srandom|drand48|arc4random\w*|"
    r"open|open64|openat|openat64|creat|fopen|fopen64|freopen|read|write|pread|pread64|pwrite|"
    r"pwrite64|fread|fwrite|fsync|fdatasync|mmap|mmap64|rename|unlink|getenv|secure_getenv|"
    r"mdb_\w+|printf|puts|_ZN6pastry11planted_bugE|"
    r"_ZNSt13random_device\w*|_ZNSt6chrono\w*clock3nowEv|_ZNSt6thread\w*|_ZNSt10filesystem\w*|"
    r"_ZNSt\w*basic_[io]?f(ile|stream)\w*|_ZNSt14basic_[io]?fstream\w*|_ZSt4c(out|err|in)|"
    r"_ZSt4clog|_ZNSt18condition_variable\w*)$")


def symbol_violations(archive):
    """Undefined symbols of a static library that a pure room must not have."""
    listing = subprocess.run(["nm", "--undefined-only", "--format=posix", str(archive)],
                             capture_output=True, text=True, check=True).stdout
    names = {line.split()[0] for line in listing.splitlines()
             if line and not line.endswith(":")}
    return sorted(f"{Path(archive).name}: uses {name}" for name in names
                  if FORBIDDEN_SYMBOL.match(name))


def header_violations(path, text):
    bad = []
    if not text.startswith("//"):
        bad.append(f"{path}: a header begins with a comment that says what it is for")
    if "\n#pragma once\n" not in text:
        bad.append(f"{path}: no #pragma once")
    return bad


def length_violations(path, text):
    lines = text.count("\n")
    return [f"{path}: {lines} lines, at most {LINES_MAX}"] if lines > LINES_MAX else []


# Written in pieces so that this file does not contain what it looks for.
_WORDING = re.compile(
    r"\b(?:this|last|next|previous) session\b|\bdeveloper" + r" session|\bAI (?:agent|assistant)\b|"
    r"\bnot (?:yet )?implemented|\bFIX" + r"ME\b|\bXX" + r"X\b|\bTO" + r"DO\b", re.IGNORECASE)
_MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_])/(?:work|farm|home|root)/|\.libr" + r"ary\b",
                           re.MULTILINE)


def wording_violations(path, text):
    bad = [f"{path}: '{found.group(0)}'" for found in _WORDING.finditer(text)]
    bad += [f"{path}: a path of some machine" for _ in _MACHINE_PATH.finditer(text)]
    return bad


def first_include_violations(path, text, header_exists):
    """x.cc includes x.h first, so that building it proves that x.h compiles alone."""
    own = path[: -len(".cc")] + ".h"
    includes = _INCLUDE.findall(text)
    if not header_exists or (includes and includes[0][1] == own):
        return []
    return [f"{path}: its first include must be {own}"]


def compile_violations(root, header, include_directories):
    """What the compiler says about a header on its own."""
    command = ["g++", "-std=c++20", "-fsyntax-only", "-x", "c++", "-w"]
    command += [f"-I{directory}" for directory in include_directories]
    run = subprocess.run(command + [str(root / header)], capture_output=True, text=True)
    if run.returncode == 0:
        return []
    return [f"{header}: does not compile alone: {run.stderr.splitlines()[0]}"]


def format_violations(root, files):
    run = subprocess.run(["clang-format", "--dry-run", "-Werror"] + [str(name) for name in files],
                         cwd=root, capture_output=True, text=True)
    names = re.findall(r"^(\S+?):\d+:\d+: error", run.stderr, re.MULTILINE)
    return sorted({f"{name}: not formatted (./run format)" for name in names})


_FIELD = re.compile(r"^  (?:Duration|int|std::size_t) (\w+) = ", re.MULTILINE)
_PARAMETER = re.compile(r'Parameter\{"(\w+)", &Config::(\w+)\}')
NOT_SET_BY_NAME = {"digit_bits", "leaf_set", "neighbourhood", "payload_max", "bulk_payload_max"}


def parameter_violations(config, parameters):
    """Fields of Config that cannot be set by name, and names that set another field."""
    named = _PARAMETER.findall(parameters)
    known = {name for name, _ in named} | NOT_SET_BY_NAME
    found = [f"config.h: {field} is missing in parameters.cc"
             for field in _FIELD.findall(config) if field not in known]
    return found + [f"parameters.cc: {name} sets {field}" for name, field in named if name != field]
