// A text as numbered lines of words: what session traces and scenarios are made of.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace pastry::sim {

struct TextLine {
  std::size_t number = 0;               // from 1
  std::vector<std::string_view> words;  // at least one; into the text
};

// Blanks separate words; from a word that begins with # on, the rest of the line is a comment.
// Lines without words are left out.
std::vector<TextLine> text_lines(std::string_view text);

}  // namespace pastry::sim
