#!/usr/bin/env python3
"""How time and memory of a simulation grow with the ring: sizes in SHOW_SIZES, separated by commas.

A table on stderr as it goes, the figures as JSON at the end."""

import os
import sys

from common import Failed, main
from scale import notable, simulate

SIZES = [int(size) for size in
         os.environ.get("SHOW_SIZES", "1000,3000,10000,30000,100000,300000,1000000").split(",")]
LOOKUPS = int(os.environ.get("SHOW_LOOKUPS", "20000"))


def run(figures):
    figures["sizes"] = []
    print(f"{'nodes':>9} {'seconds':>8} {'us/event':>8} {'events/node':>11} {'peak MiB':>8} "
          f"{'bytes/node':>10} {'join msgs':>9} {'hops':>6} {'stretch':>7}", file=sys.stderr)
    for size in SIZES:
        row = notable(simulate(size, LOOKUPS, "--no-encode"))
        figures["sizes"].append(row)
        print(f"{size:>9} {row['wall_s']:>8} {row['microseconds_per_event']:>8} "
              f"{row['events'] / size:>11.0f} {row['peak_mib']:>8} {row['bytes_per_node']:>10} "
              f"{row['messages_per_join']:>9} {row['hops_mean']:>6.3f} "
              f"{row['stretch_total']:>7}", file=sys.stderr)
        if row["wrong_root"] or row["lost"]:
            raise Failed(f"{size} nodes: {row['wrong_root']} wrong, {row['lost']} lost")


main(run)
