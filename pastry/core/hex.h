// Bytes as lower-case hexadecimal digits and back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "pastry/core/payload.h"

namespace pastry {

// Two lower-case digits per byte.
std::string to_hex(ByteView bytes);

// Fills `bytes` from exactly twice as many digits of either case; false if the text is anything
// else, `bytes` is then unspecified.
bool from_hex(std::string_view text, std::span<std::uint8_t> bytes);

// `text` as it may appear in a message for people: cut to a readable length, printable.
std::string quoted(std::string_view text);

}  // namespace pastry
