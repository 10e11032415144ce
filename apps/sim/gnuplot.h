// Plots as SVG, drawn by the program gnuplot.
#pragma once

#include <string>

#include "apps/sim/report.h"

namespace pastry::cli {

// Whether a program of that name is in the PATH.
bool have_gnuplot();

// The <svg> element. Errors: failed (gnuplot is missing or complains; its first line).
Result<std::string> draw_svg(const Plot& plot);

}  // namespace pastry::cli
