// The parameters of a node by name, for whoever takes them as text: command lines, config files.
//
// Names are those of the fields of Config (config.h), which says what each means. The three that
// shape the overlay (b, l, |M|) are not among them: commands have options of their own for these.
// Nor are the sizes of payloads, which the protocol bounds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pastry/core/config.h"
#include "pastry/core/error.h"

namespace pastry {

// Their names, in the order of config.h.
std::vector<std::string_view> parameter_names();

// Sets the one named: a time like "600ms" (duration_text.h) or a whole number. Errors, after which
// `config` is as before: invalid, if nothing has that name, or `value` is not of its kind. Ranges
// are not asked for: Config::validate() does, when all are set.
Result<void> set_parameter(Config& config, std::string_view name, std::string_view value);

// The present value in a form that set_parameter() takes; empty if nothing has that name.
std::string parameter_text(const Config& config, std::string_view name);

}  // namespace pastry
