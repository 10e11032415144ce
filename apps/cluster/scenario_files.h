// Files of a scenario: stored into a cluster and read back with the `pastry` program itself.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "pastry/core/error.h"

namespace pastry::cluster {

class ScenarioFiles {
 public:
  // `cluster`: what --node takes for it; `runtime_dir` as the option.
  ScenarioFiles(std::string cluster, std::string runtime_dir);
  ~ScenarioFiles();
  ScenarioFiles(const ScenarioFiles&) = delete;
  ScenarioFiles& operator=(const ScenarioFiles&) = delete;

  // Stores `count` files of `bytes` random bytes. Errors: failed (a put was refused).
  Result<void> store(std::size_t count, std::uint64_t bytes, std::mt19937_64& random);
  std::size_t stored() const { return files_.size(); }
  // How many do not come back byte for byte.
  std::size_t count_missing() const;

 private:
  struct Stored {
    std::string id;
    std::string path;
  };

  // Standard output of `pastry WORDS`, or nothing if it failed.
  Result<std::string> run(const std::string& words) const;

  std::string program_;
  std::string flags_;
  std::string scratch_;
  std::vector<Stored> files_;
};

}  // namespace pastry::cluster
