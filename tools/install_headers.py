"""Installs the public headers under include/, paths kept; meson calls it during installation.

Public is every header of the rooms below whose leading comment does not say that it is internal.
"""

import os
import shutil
import sys
from pathlib import Path

ROOMS = ("proximity", "pastry", "past", "scribe")


def leading_comment(text):
    lines = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line)
    return " ".join(lines)


def main(source_root, include_directory):
    target = Path(os.environ["MESON_INSTALL_DESTDIR_PREFIX"]) / include_directory
    quiet = "MESON_INSTALL_QUIET" in os.environ
    for room in ROOMS:
        for header in sorted((Path(source_root) / room).rglob("*.h")):
            if "internal" in leading_comment(header.read_text()).lower():
                continue
            installed = target / header.relative_to(source_root)
            installed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(header, installed)
            installed.chmod(0o644)
            if not quiet:
                print(f"Installing {header.relative_to(source_root)} to {installed.parent}")


if __name__ == "__main__":
    main(*sys.argv[1:])
