#include "pastry/core/hash.h"

#include "pastry/core/hex.h"

namespace pastry {

std::string hex(const Digest& digest) { return to_hex(digest); }

}  // namespace pastry
