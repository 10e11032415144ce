// What the tests of bounds share: a refusal must name the field and have the right code.
#pragma once

#include <doctest/doctest.h>

#include "tests/wire/raw.h"

namespace pastry::wire {

using Out = schema::Envelope::Builder;

inline bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

#define CHECK_REFUSED(answer, field, expected) \
  do {                                         \
    const std::string said = (answer);         \
    CAPTURE(said);                             \
    CHECK(has(said, field));                   \
    CHECK(victim.code == (expected));          \
  } while (false)

// `count` descriptions of one peer: bounds are checked before contents.
template <typename List>
void fill(List list, const Bytes& peer) {
  for (unsigned i = 0; i < list.size(); ++i) list.set(i, data(peer));
}

}  // namespace pastry::wire
