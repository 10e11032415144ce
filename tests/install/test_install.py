"""Installs the package into an empty directory, builds the example against it, and runs it."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

SOURCE = Path(os.environ["PASTRY_SOURCE_ROOT"])
BUILD = Path(os.environ["PASTRY_BUILD_ROOT"])
WAIT_S = 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet",
                    "--destdir", str(root)], check=True, stdout=subprocess.DEVNULL)
    # As if it had been configured for that prefix.
    for file in root.rglob("*.pc"):
        text = file.read_text()
        prefix = text[len("prefix="):text.index("\n")]
        file.write_text(text.replace(f"prefix={prefix}", f"prefix={root}{prefix}", 1))
    return root


@pytest.fixture(scope="module")
def environment(installed):
    folders = {str(path.parent) for path in installed.rglob("*.pc")}
    return dict(os.environ, PKG_CONFIG_PATH=":".join(sorted(folders)))


def flags(environment, *packages):
    return subprocess.run(["pkg-config", "--cflags", "--libs", *packages], env=environment,
                          check=True, capture_output=True, text=True).stdout.split()


@pytest.fixture(scope="module")
def keyvalue(tmp_path_factory, environment):
    program = tmp_path_factory.mktemp("example") / "keyvalue"
    source = SOURCE / "apps/examples/keyvalue.cc"
    # Away from the source tree: only what is installed can be found.
    subprocess.run(["g++", "-Wall", "-Wextra", "-Werror", str(source), "-o", str(program),
                    *os.environ.get("PASTRY_SANITIZE", "").split(),
                    *flags(environment, "pastry-host", "pastry-identity")],
                   cwd=program.parent, check=True)
    return program


class Service:
    """A running example, spoken to by lines."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen([str(program), *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.timer = threading.Timer(WAIT_S, self.process.kill)
        self.timer.start()

    def read(self):
        line = self.process.stdout.readline()
        assert line, "the example ended or did not answer in time"
        return line.rstrip("\n")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        code = self.process.wait(WAIT_S)
        self.timer.cancel()
        return code


def test_every_package_has_its_headers_and_libraries(installed, environment):
    packages = sorted(path.stem for path in installed.rglob("*.pc"))
    assert {"proximity", "pastry-core", "pastry-wire", "pastry-host", "scribe"} <= set(packages)
    for package in packages:
        for flag in flags(environment, package):
            if flag.startswith("-I"):
                assert Path(flag[2:]).is_dir(), f"{package}: {flag}"
    headers = {path.relative_to(path.parents[-1]).as_posix() for path in installed.rglob("*.h")}
    assert any(name.endswith("include/pastry/core/application.h") for name in headers)
    assert not any(name.endswith("lmdb_batch.h") for name in headers), "internal header installed"


def test_public_headers_compile_against_the_installed_package(installed, environment, tmp_path):
    include = next(path for path in installed.rglob("include") if path.is_dir())
    public = ["pastry/core/node.h", "pastry/zmq/host.h", "pastry/replica/replica.h",
              "pastry/replica/lmdb_store.h", "pastry/sim/simulator.h", "past/past.h",
              "scribe/scribe.h"]
    lines = [f'#include "{name}"' for name in public if (include / name).exists()]
    assert len(lines) >= 5
    (tmp_path / "all.cc").write_text("\n".join(lines) + "\n")
    subprocess.run(["g++", "-fsyntax-only", "all.cc",
                    *flags(environment, "pastry-core", "pastry-host")], cwd=tmp_path, check=True)


def test_example_stores_and_finds_values(keyvalue):
    first = Service(keyvalue)
    services = [first]
    try:
        address = first.read().removeprefix("ready ")
        assert address.startswith("tcp://")
        for _ in range(3):
            services.append(Service(keyvalue, address))
            assert services[-1].read().startswith("ready ")
        for i in range(12):
            answer = services[i % 4].ask(f"put key{i} value {i}")
            assert answer.startswith(f"key{i} stored (via ")
        for i in range(12):
            answer = services[(i + 1) % 4].ask(f"get key{i}")
            assert answer.startswith(f"key{i} = value {i} (via ")
        assert services[2].ask("get nothing").startswith("nothing not found")
        assert services[2].ask("nonsense").startswith("usage:")
    finally:
        codes = [service.close() for service in reversed(services)]
    assert codes == [0, 0, 0, 0]


def test_example_says_why_it_cannot_join(keyvalue):
    run = subprocess.run([str(keyvalue), "tcp://example"], capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=WAIT_S)
    assert run.returncode == 1
    assert run.stderr.startswith("keyvalue: ")
    assert run.stderr.count("\n") == 1
