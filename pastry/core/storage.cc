#include "pastry/core/storage.h"

#include "pastry/core/hex.h"

namespace pastry {

Key StoreName::key() const {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = high << 8 | bytes[i];
    low = low << 8 | bytes[i + 8];
  }
  return {high, low};
}

Result<StoreName> StoreName::parse(std::string_view hex) {
  StoreName name;
  if (!from_hex(hex, name.bytes)) {
    return fail(ErrorCode::invalid, "a name is 64 hexadecimal digits, not " + quoted(hex));
  }
  return name;
}

std::string StoreName::hex() const { return to_hex(bytes); }

}  // namespace pastry
