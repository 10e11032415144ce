#!/usr/bin/env python3
"""The same seed gives the same trace under g++ and clang++: compares build/ with build-clang/
(`./run clang` makes it), with and without encoding, with faults, on two topologies."""

import json
import os
import pathlib
import subprocess

from common import Failed, main

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = (
    ["--nodes", "1000", "--lookups", "5000"],
    ["--nodes", "3000", "--lookups", "5000", "--no-encode"],
    ["--nodes", "500", "--lookups", "5000", "--loss", "0.02", "--duplication", "0.02"],
    ["--nodes", "1000", "--lookups", "5000", "--topology", "transit-stub", "--leaf-set", "32"],
)


def binary(build):
    """The product, or the small program of the simulations alone."""
    for name in ("pastry", "pastry-sim"):
        path = ROOT / build / "apps" / name
        if os.access(path, os.X_OK):
            return path
    raise Failed(f"{build}/apps/pastry is missing: ./run {'clang' if 'clang' in build else 'build'}")


def trace(program, case):
    done = subprocess.run([program, "sim", "route", "--seed", "7", "--json", *case],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        raise Failed(f"{program} {' '.join(case)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)["trace_hash"]


def run(figures):
    programs = [binary("build"), binary("build-clang")]
    figures["cases"] = []
    for case in CASES:
        hashes = [trace(program, case) for program in programs]
        figures["cases"].append({"case": " ".join(case), "g++": hashes[0], "clang++": hashes[1]})
        if hashes[0] != hashes[1]:
            raise Failed(f"{' '.join(case)}: {hashes[0]} under g++, {hashes[1]} under clang++")


main(run)
