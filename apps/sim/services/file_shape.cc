#include "apps/sim/services/file_shape.h"

#include "past/file.h"

namespace pastry::cli {

std::vector<StoreName> file_parts(const Hash& hash, const past::FileId& id, std::size_t size) {
  std::vector<StoreName> names = {id};
  if (size <= kBlockBytes) return names;
  const std::size_t blocks = (size + kBlockBytes - 1) / kBlockBytes;
  for (std::size_t i = 0; i < blocks; ++i) names.push_back(past::block_name(hash, id, i));
  if (blocks <= kManifestEntries) return names;
  const std::size_t leaves = (blocks + kManifestEntries - 1) / kManifestEntries;
  for (std::size_t i = 0; i < leaves; ++i) names.push_back(past::leaf_name(hash, id, i));
  return names;
}

}  // namespace pastry::cli
