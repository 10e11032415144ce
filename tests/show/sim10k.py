#!/usr/bin/env python3
"""The simulator: 10,000 nodes join, 100,000 lookups, five seeds, every message encoded and no node
knowing what no message told it; the first seed twice, which must give the same trace."""

import json
import os
import subprocess

from common import BINARY, Failed, main

NODES = int(os.environ.get("SHOW_NODES", "10000"))
LOOKUPS = int(os.environ.get("SHOW_LOOKUPS", "100000"))
IDEAL_MEAN_HOPS = 3.23  # perfect tables, N = 10,000, b = 4, l = 16
TOLERANCE = 0.03
SEEDS = (1, 2, 3, 4, 5)


def simulate(seed):
    done = subprocess.run(
        [BINARY, "sim", "route", "--nodes", str(NODES), "--lookups", str(LOOKUPS), "-b", "4",
         "--leaf-set", "16", "--seed", str(seed), "--check-told", "--json"],
        capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"seed {seed}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def run(figures):
    figures["nodes"], figures["lookups"] = NODES, LOOKUPS
    figures["seeds"] = []
    hashes = []
    for seed in (*SEEDS, SEEDS[0]):
        report = simulate(seed)
        hashes.append(report["trace_hash"])
        mean = report["hops"]["mean"]
        figures["seeds"].append({
            "seed": seed, "hops_mean": mean, "hops_max": report["hops"]["max"],
            "wrong_root": report["wrong_root"], "lost": report["lost"],
            "wall_s": report["wall_s"], "trace_hash": report["trace_hash"]})
        if report["wrong_root"] or report["lost"]:
            raise Failed(f"seed {seed}: {report['wrong_root']} wrong, {report['lost']} lost")
        if NODES == 10000 and abs(mean / IDEAL_MEAN_HOPS - 1) > TOLERANCE:
            raise Failed(f"seed {seed}: mean hops {mean} is not within 3 % of {IDEAL_MEAN_HOPS}")
    if hashes[-1] != hashes[0]:
        raise Failed("the same seed gave another trace")
    if len(set(hashes)) != len(SEEDS):
        raise Failed("two seeds gave the same trace")


main(run)
