// Options: precedence, errors, typed values.
#include <doctest/doctest.h>

#include <fstream>
#include <map>

#include "apps/cli/options.h"
#include "tests/apps/scratch.h"

using namespace pastry;
using namespace pastry::cli;

namespace {

const std::vector<OptionSpec> kSpecs{
    {"nodes", 'n', "N", "", "8"}, {"leaf-set", 0, "L", "", "32"},
    {"json", 0, "", ""},          {"join", 0, "A", "", "", true},
    {"config", 0, "FILE", ""},    {"output", 'o', "FILE", "", "-"},
};

Result<Options> parse(std::vector<std::string> words,
                      std::map<std::string, std::string> variables = {},
                      std::size_t arguments_max = 2) {
  const Options::Grammar grammar{"put",
                                 kSpecs,
                                 0,
                                 arguments_max,
                                 [](std::string_view name) { return name == "elsewhere"; },
                                 [](std::string_view section) { return section == "get"; }};
  return Options::parse(grammar, words, [&](const std::string& name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string written(const Scratch& scratch, const std::string& text) {
  const std::string path = scratch.path() / "config";
  std::ofstream(path) << text;
  return path;
}

}  // namespace

TEST_CASE("flag before environment before file before default") {
  const Scratch scratch;
  const std::string file = written(scratch, "nodes = 3\nleaf-set = 4\n");
  CHECK(parse({})->text("nodes") == "8");
  CHECK(parse({"--config", file})->text("nodes") == "3");
  CHECK(parse({"--config", file}, {{"PASTRY_NODES", "5"}})->text("nodes") == "5");
  CHECK(parse({"--config", file, "-n", "7"}, {{"PASTRY_NODES", "5"}})->text("nodes") == "7");
  CHECK(parse({}, {{"PASTRY_LEAF_SET", "6"}})->text("leaf-set") == "6");
  CHECK(parse({}, {{"PASTRY_CONFIG", file}})->text("leaf-set") == "4");
}

TEST_CASE("a section of the config file holds for its command only") {
  const Scratch scratch;
  const std::string file =
      written(scratch, "nodes = 3\nelsewhere = 1\n[put]\nnodes = 4\n[get]\nelsewhere = 9\n");
  const auto options = parse({"--config", file});
  REQUIRE(options);
  CHECK(options->text("nodes") == "4");
}

TEST_CASE("an unknown name in the config file is an error that names file and option") {
  const Scratch scratch;
  const auto options = parse({"--config", written(scratch, "nods = 3\n")});
  REQUIRE_FALSE(options);
  CHECK(options.error().code == ErrorCode::invalid);
  CHECK(options.error().message.find("nods") != std::string::npos);
}

TEST_CASE("lines of the config file: options gather that may, others are given once") {
  const Scratch scratch;
  const auto joined = parse({"--config", written(scratch, "join = a\njoin = b,c\n")});
  REQUIRE(joined);
  CHECK(joined->list("join") == std::vector<std::string>{"a", "b", "c"});
  const auto own = parse({"--config", written(scratch, "join = a\n[put]\njoin = b\njoin = c\n")});
  REQUIRE(own);
  CHECK(own->list("join") == std::vector<std::string>{"b", "c"});
  const auto twice = parse({"--config", written(scratch, "nodes = 1\nnodes = 2\n")});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().message.find("'nodes' is given more than once") != std::string::npos);
}

TEST_CASE("a section of no command is an error that names it") {
  const Scratch scratch;
  CHECK(parse({"--config", written(scratch, "[get]\nelsewhere = 3\n")}));
  const auto bogus = parse({"--config", written(scratch, "[bogus]\nnodes = 3\n")});
  REQUIRE_FALSE(bogus);
  CHECK(bogus.error().message.find("[bogus]") != std::string::npos);
}

TEST_CASE("bad words are usage errors") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--nope"},
                                             {"--node", "3"},
                                             {"-z"},
                                             {"--nodes"},
                                             {"a", "b", "c"},
                                             {"--nodes", "1", "--nodes", "2"},
                                             {"--config", "/nonexistent"}}) {
    const auto options = parse(words);
    REQUIRE_FALSE(options);
    CHECK(options.error().code == ErrorCode::invalid);
  }
}

TEST_CASE("an option is never the value of the one before it") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--nodes", "--json"},
                                             {"--nodes", "--unknown"},
                                             {"--nodes", "-n", "3"},
                                             {"-o", "--json"},
                                             {"-o", "-n3"},
                                             {"--join", "a", "--join", "--json"},
                                             {"--nodes", "--"},
                                             {"--nodes"}}) {
    const auto options = parse(words);
    REQUIRE_FALSE(options);
    CHECK(options.error().code == ErrorCode::invalid);
    CHECK(options.error().message.find("is missing") != std::string::npos);
  }
  CHECK(parse({"--output=--json"})->text("output") == "--json");
  CHECK(parse({"--output", "-5"})->text("output") == "-5");
  CHECK(parse({"--output", "-"})->text("output") == "-");
}

TEST_CASE("a lone dash is an argument, two dashes end the options") {
  const auto options = parse({"-", "-o", "-", "--", "--json"});
  REQUIRE(options);
  CHECK(options->arguments() == std::vector<std::string>{"-", "--json"});
  CHECK(options->text("output") == "-");
  CHECK_FALSE(options->flag("json"));
}

TEST_CASE("repeatable options gather values") {
  const auto options = parse({"--join", "a,b", "--join=c"});
  REQUIRE(options);
  CHECK(options->list("join") == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("flags from the environment are true or false") {
  CHECK(parse({}, {{"PASTRY_JSON", "1"}})->flag("json"));
  CHECK_FALSE(parse({}, {{"PASTRY_JSON", "0"}})->flag("json"));
  CHECK_FALSE(parse({}, {{"PASTRY_JSON", "perhaps"}}));
}

TEST_CASE("numbers are whole and in range; the first error stays") {
  const auto options = parse({"--nodes", "12x", "--leaf-set", "99"});
  REQUIRE(options);
  Reader reader(*options);
  reader.integer("nodes", 1, 10);
  REQUIRE(reader.error());
  reader.integer("leaf-set", 1, 10);
  CHECK(reader.error()->message.find("--nodes") != std::string::npos);
}

TEST_CASE("times have units") {
  using std::chrono::milliseconds;
  CHECK(*parse_duration("1.5") == milliseconds(1500));
  CHECK(*parse_duration("2s") == milliseconds(2000));
  CHECK(*parse_duration("250ms") == milliseconds(250));
  CHECK(*parse_duration("2m") == milliseconds(120000));
  for (const char* bad : {"", "s", "-1", "1d", "nan", "inf", "1e300", "5 s"}) {
    CHECK_FALSE(parse_duration(bad));
  }
}
