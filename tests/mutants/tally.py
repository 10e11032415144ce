#!/usr/bin/env python3
"""Planted bugs: which the unit tests notice, and which the checkers find, with the seed.

Each bug is one switch in a build of the core of its own. The model checker is asked first (rings of
two and three nodes, with a crash), then random simulations, seed after seed. Seeds that break a rule
without any bug do not count.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

BUILD = pathlib.Path(os.environ.get("PASTRY_BUILD", "build")) / "tests" / "mutants"
UNIT_TESTS = BUILD / "mutant-core-test"
SIMULATIONS = BUILD / "mutant-sim"
SEEDS = int(os.environ.get("MUTANT_SEEDS", "1000"))
STEP = 100
WANTED = 15
TIMEOUT = 100
# Who does not end in time although it takes less than this without a bug hangs because of the bug.
SHORT = TIMEOUT / 4

usual = {}  # seconds that each command takes without any bug


def run(bug, *command):
    """What became of it; None if it did not end in time."""
    words = [str(word) for word in command]
    began = time.monotonic()
    try:
        done = subprocess.run(words, env=dict(os.environ, PASTRY_PLANTED_BUG=bug), timeout=TIMEOUT,
                              capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired:
        done = None
    if bug == "none":
        usual[tuple(words)] = time.monotonic() - began
    return done


def abnormal(bug, done, *command):
    """How it ended, if that shows a bug by itself: neither done nor a rule broken; else None."""
    if done is not None:
        return None if done.returncode in (0, 10) else f"ends with {done.returncode}"
    if bug == "none":
        return f"does not end within {TIMEOUT} s"
    seconds = usual.get(tuple(str(word) for word in command), TIMEOUT)
    return f"does not end, {seconds:.0f} s without the bug" if seconds < SHORT else None


def noticed_by_unit_tests(bug):
    done = run(bug, UNIT_TESTS)
    return abnormal(bug, done, UNIT_TESTS) is not None


def model(bug):
    """The scenario that shows the bug, or None."""
    for nodes in (2, 3):
        for crash in ((), ("--crash",)):
            command = (SIMULATIONS, "sim", "model", "--nodes", nodes, "--bound", 300000, "--json", *crash)
            done = run(bug, *command)
            if odd := abnormal(bug, done, *command):
                return f"{nodes} nodes{' and a crash' if crash else ''}: {odd}"
            for scenario in json.loads(done.stdout)["scenarios"] if done else ():
                if "violation" in scenario:
                    return f"{scenario['scenario']}: {scenario['violation'].splitlines()[0]}"
    return None


def fuzz(bug, first):
    """(seed, what broke) of STEP seeds; the seed is None if all of them together show something."""
    seeds = f"{first}-{first + STEP - 1}"
    command = (SIMULATIONS, "sim", "fuzz", "--seeds", seeds, "--jobs", "1", "--json")
    done = run(bug, *command)
    if odd := abnormal(bug, done, *command):
        return [(None, f"seeds {seeds}: {odd}")]
    return [(failure["seed"], f"{failure['rule']}: {failure['what'].splitlines()[0]}")
            for failure in (json.loads(done.stdout)["failures"] if done else ())]


def examine(bug, excused):
    result = {"bug": bug, "unit_tests_notice": noticed_by_unit_tests(bug)}
    found = model(bug)
    if found:
        return {**result, "found_by": "model", "seed": None, "what": found}
    for first in range(1, SEEDS + 1, STEP):
        for seed, what in fuzz(bug, first):
            if seed not in excused:
                return {**result, "found_by": "fuzz", "seed": seed, "what": what}
    return {**result, "found_by": None, "seed": None, "what": ""}


def main():
    bugs = run("list", SIMULATIONS).stdout.split()[1:]
    if noticed_by_unit_tests("none") or model("none"):
        sys.exit("something is broken without any planted bug")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks = pool.map(lambda first: fuzz("none", first), range(1, SEEDS + 1, STEP))
        failures = [failure for chunk in chunks for failure in chunk]
    for seed, what in failures:
        if seed is None:
            sys.exit(f"without any planted bug, {what}")
    excused = {seed for seed, _ in failures}
    width = max(map(len, bugs))

    def examine_and_tell(bug):
        result = examine(bug, excused)
        where = result["found_by"] or "NOT FOUND"
        if result["seed"] is not None:
            where += f" {result['seed']}"
        noticed = "noticed" if result["unit_tests_notice"] else "silent"
        print(f"{bug:{width}}  unit tests {noticed:7}  {where:11}  {result['what']}",
              file=sys.stderr, flush=True)
        return result

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(examine_and_tell, bugs))
    silent = [result for result in results if not result["unit_tests_notice"]]
    found = [result for result in silent if result["found_by"]]
    print(json.dumps({"planted": len(results), "silent_in_unit_tests": len(silent),
                      "found_of_these": len(found), "seeds_excused": sorted(excused),
                      "bugs": results}, indent=2))
    sys.exit(0 if len(found) >= WANTED and all(r["found_by"] for r in results) else 1)


main()
