#!/usr/bin/env python3
"""Every scenario of the fault list in the simulator, with several seeds; then those for real
processes on a cluster: a partition of five minutes, a flash crowd, stopped processes."""

import json
import subprocess
import sys

from common import BINARY, Failed, REPOSITORY, Workspace, main

SEEDS = range(1, 4)
SCENARIOS = REPOSITORY / "tests" / "scenarios"


def outcome(done):
    if done.returncode not in (0, 10):
        raise Failed(done.stderr.strip() or f"exit code {done.returncode}")
    report = json.loads(done.stdout.splitlines()[-1])
    return [f"{step['step']}: {step['detail']}" for step in report["steps"]
            if not step.get("holds", True)]


def run_pastry(*words):
    return subprocess.run([BINARY, *map(str, words), "--json"], text=True, capture_output=True,
                          check=False)


def run(figures):
    figures["simulated"] = {}
    figures["real"] = {}
    for path in sorted(SCENARIOS.glob("r*.scenario")):
        violated = []
        for seed in SEEDS:
            violated += outcome(run_pastry("sim", "run", path, "--seed", seed))
        figures["simulated"][path.stem] = violated or "holds"
        print(f"{path.stem}: {violated or 'holds'}", file=sys.stderr)
    for path in sorted(SCENARIOS.glob("cluster_*.scenario")):
        with Workspace() as space:
            violated = outcome(run_pastry("cluster", "--run", path, "--runtime-dir",
                                          space.path / "run"))
        figures["real"][path.stem] = violated or "holds"
        print(f"{path.stem}: {violated or 'holds'}", file=sys.stderr)
    bad = [name for part in ("simulated", "real") for name, what in figures[part].items()
           if what != "holds"]
    if bad:
        raise Failed("violated: " + ", ".join(bad))


main(run)
