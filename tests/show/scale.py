"""What the runs of large simulations have in common: one `sim route` on one core, and its limits."""

import json
import os
import subprocess

from common import BINARY, Failed

# [Pastry, Fig. 5]: share of the lookups per number of hops, N = 100,000, b = 4, l = 16.
PAPER_HISTOGRAM = (0, .0006, .0156, .1643, .6449, .1745, 0)


def simulate(nodes, lookups, *options, seed=1):
    """The JSON of `sim route` on a plane with b = 4, l = 16, pinned to one processor."""
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [BINARY, "sim", "route", "--nodes", str(nodes), "--lookups", str(lookups), "--topology",
         "plane", "-b", "4", "--leaf-set", "16", "--seed", str(seed), "--json", *options],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    if done.returncode != 0:
        raise Failed(f"{nodes} nodes: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def notable(report):
    """What a reader wants to see of a report."""
    return {
        "nodes": report["nodes"], "lookups": report["lookups"],
        "hops_mean": round(report["hops"]["mean"], 4), "hops_max": report["hops"]["max"],
        "hops_share": [round(n / report["lookups"], 5) for n in report["hops"]["histogram"]],
        "stretch_total": round(report["stretch"]["total"], 3),
        "wrong_root": report["wrong_root"], "lost": report["lost"],
        "messages_per_join": round(report["join"]["messages_mean"], 1),
        "entries_per_table": round(report["routing_table_entries_mean"], 1),
        "features": report["features"],
        "virtual_s": round(report["virtual_s"], 1), "events": report["events"],
        "wall_s": round(report["wall_s"], 1),
        "microseconds_per_event": round(report["wall_s"] / report["events"] * 1e6, 2),
        "peak_mib": round(report["peak_rss_bytes"] / 2**20),
        "bytes_per_node": report["bytes_per_node"], "trace_hash": report["trace_hash"]}


def require(figures, what, holds):
    """Notes the limit; run() fails at the end if one did not hold."""
    figures.setdefault("limits", {})[what] = bool(holds)


def check(figures):
    missed = [what for what, holds in figures["limits"].items() if not holds]
    if missed:
        raise Failed("missed: " + "; ".join(missed))
