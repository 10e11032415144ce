"""Every command that the documents show exists, with the options it is given there.
What is said to be the same on every machine is what this code prints."""

import re

import pytest

from harness import REPOSITORY, commands_of

PAGES = [REPOSITORY / "README.md", REPOSITORY / "ARCHITECTURE.md",
         *sorted((REPOSITORY / "docs").glob("*.md"))]


def blocks(page):
    """The fenced blocks of a page."""
    return re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text(), re.M | re.S)


def shown(page):
    """The pastry commands in the fenced blocks of a page, as lists of words."""
    for block in blocks(page):
        lines = block.replace("\\\n", " ").splitlines()
        typed = [line[2:] for line in lines if line.startswith("$ ")]
        # A block without prompts is a script.
        for line in typed or lines:
            for part in re.split(r"[|;&]|\$\(", line):
                words = part.strip().split(" > ")[0].split("  #")[0].split()
                if len(words) > 1 and words[0] == "pastry":
                    yield [word.strip("\"')") for word in words[1:]]


def simulations(page):
    """The routing experiments that a page shows with what they print, as pairs of words and lines."""
    for block in blocks(page):
        for typed in re.split(r"^\$ ", block, flags=re.M):
            command, *lines = typed.splitlines() or [""]
            words = command.split(" | ")[0].split()
            reads_a_file = "matrix:" in command
            if words[:3] == ["pastry", "sim", "route"] and lines and not reads_a_file:
                yield words[1:], lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_commands_exist(space, page):
    known = commands_of(space)
    helps = {}
    for words in shown(page):
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert name in known, words
        if name not in helps:
            helps[name] = space.run(*name.split(), "--help").decode()
        for word in words:
            option = re.match(r"--?[a-z][a-z-]*", word)
            if option:
                assert re.search(rf"(^|[ ,]){re.escape(option[0])}[ ,\n]", helps[name]), words


def test_the_readme_shows_the_main_commands():
    names = {words[0] for words in shown(REPOSITORY / "README.md") if words}
    assert {"cluster", "put", "get", "where", "sub", "pub", "lookup", "status", "sim"} <= names


def test_simulations_print_what_is_shown(space):
    checked = 0
    for page in PAGES:
        for words, lines in simulations(page):
            run = space.pastry(*words)
            printed = run.out.decode() + run.err
            for line in lines:
                if line and line != "..." and not line.startswith(("memory ", "time ")):
                    assert line in printed, (page.name, words)
                    checked += 1
    assert checked >= 20
