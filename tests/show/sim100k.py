#!/usr/bin/env python3
"""100,000 nodes join by the protocol, 200,000 lookups: hops as published, in a minute, on one core.

Every feature on; messages are handed over without encoding them (SHOW_ENCODE=1 encodes them)."""

import os

from common import main
from scale import PAPER_HISTOGRAM, check, notable, require, simulate

SECONDS = 60
BYTES = 2**30


def run(figures):
    options = [] if os.environ.get("SHOW_ENCODE") == "1" else ["--no-encode"]
    report = simulate(100_000, 200_000, *options)
    figures.update(notable(report))
    shares = [count / report["lookups"] for count in report["hops"]["histogram"]]
    shares += [0] * (len(PAPER_HISTOGRAM) - len(shares))
    figures["published_share"] = PAPER_HISTOGRAM
    apart = max(abs(share - (PAPER_HISTOGRAM[hops] if hops < len(PAPER_HISTOGRAM) else 0))
                for hops, share in enumerate(shares))
    figures["largest_difference"] = round(apart, 5)
    require(figures, "each share within 0.01 of the published", apart <= 0.01)
    require(figures, "mean hops 3.98 ± 0.03", abs(report["hops"]["mean"] - 3.98) <= 0.03)
    require(figures, "at most 5 hops, 6 for 1e-4", sum(shares[6:]) <= 1e-4 and not any(shares[7:]))
    require(figures, "total stretch ≤ 1.40", report["stretch"]["total"] <= 1.40)
    require(figures, "no wrong root", report["wrong_root"] == 0)
    require(figures, "none lost", report["lost"] == 0)
    require(figures, f"≤ {SECONDS} s", report["wall_s"] <= SECONDS)
    require(figures, "≤ 1 GiB", report["peak_rss_bytes"] <= BYTES)
    check(figures)


main(run)
