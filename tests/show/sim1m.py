#!/usr/bin/env python3
"""1,000,000 nodes join by the protocol, every feature on, on one core: time, memory, roots."""

import os

from common import main
from scale import check, notable, require, simulate

NODES = int(os.environ.get("SHOW_NODES", "1000000"))
LOOKUPS = int(os.environ.get("SHOW_LOOKUPS", "200000"))
SECONDS = 15 * 60
BYTES = 8 * 2**30


def run(figures):
    report = simulate(NODES, LOOKUPS, "--no-encode")
    figures.update(notable(report))
    require(figures, "no wrong root", report["wrong_root"] == 0)
    require(figures, "none lost", report["lost"] == 0)
    require(figures, "≤ 15 minutes", report["wall_s"] <= SECONDS)
    require(figures, "≤ 8 GiB", report["peak_rss_bytes"] <= BYTES)
    check(figures)


main(run)
