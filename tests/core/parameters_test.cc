// The parameters of a node by name: each one is set, kept in range, and written so that it can be
// read again.
#include <doctest/doctest.h>

#include <set>

#include "pastry/core/parameters.h"

using namespace pastry;

TEST_CASE("parameters: each is named once and takes back what it shows") {
  const std::vector<std::string_view> names = parameter_names();
  CHECK(std::set<std::string_view>(names.begin(), names.end()).size() == names.size());
  for (const Config& profile : {Config::wan(), Config::regional(), Config::lan(), Config::test()}) {
    Config copy = Config::wan();
    for (const std::string_view name : names) {
      CAPTURE(name);
      const std::string shown = parameter_text(profile, name);
      REQUIRE(set_parameter(copy, name, shown).has_value());
      CHECK(parameter_text(copy, name) == shown);
    }
    CHECK(copy.lease == profile.lease);
    CHECK(copy.probe_retries == profile.probe_retries);
    CHECK(copy.duplicate_max == profile.duplicate_max);
    CHECK(copy.validate().has_value());
  }
}

TEST_CASE("parameters: setting one leaves the others alone") {
  for (const std::string_view name : parameter_names()) {
    Config config;
    REQUIRE(set_parameter(config, name, "7").has_value());
    for (const std::string_view other : parameter_names()) {
      CAPTURE(other);
      const bool time =
          parameter_text(Config(), other).find_first_not_of("0123456789") != std::string::npos;
      const std::string expected =
          other == name ? (time ? "7s" : "7") : parameter_text(Config(), other);
      CHECK(parameter_text(config, other) == expected);
    }
  }
}

TEST_CASE("parameters: what is no parameter or no value for it changes nothing and says why") {
  Config config;
  const auto message = [&](std::string_view name, std::string_view value) {
    const Result<void> set = set_parameter(config, name, value);
    REQUIRE_FALSE(set.has_value());
    CHECK(set.error().code == ErrorCode::invalid);
    return set.error().message;
  };
  CHECK(message("leese", "20s").find("no parameter is called 'leese'; there are heartbeat") == 0);
  CHECK(message("leaf_set", "8").find("no parameter is called 'leaf_set'") == 0);
  CHECK(message("lease", "soon") == "lease: not a time: 'soon'");
  CHECK(message("lease", "-1s") == "lease: not a time: '-1s'");
  CHECK(message("probe_retries", "2.5") == "probe_retries: not a whole number in range: '2.5'");
  CHECK(message("failed_max", "-1") == "failed_max: not a whole number in range: '-1'");
  CHECK(message("hops_max", "99999999999") ==
        "hops_max: not a whole number in range: '99999999999'");
  CHECK(message("hops_max", "").find("hops_max: ") == 0);
  for (const std::string_view name : parameter_names()) {
    CHECK(parameter_text(config, name) == parameter_text(Config(), name));
  }
  CHECK(parameter_text(config, "leese").empty());
}
