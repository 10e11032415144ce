// The page that an experiment leaves behind (--report FILE.html): parameters, figures beside the
// published ones, plots. Self-contained: no script, nothing fetched. Plots are drawn by gnuplot.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/cli/command.h"
#include "pastry/sim/experiments/run_figures.h"

namespace pastry::cli {

struct Figure {
  std::string name;
  double ours = 0;
  std::optional<double> published = {};
  std::string note = {};
};

struct PlotSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct Plot {
  std::string title;
  std::string x_label = {};
  std::string y_label = {};
  bool bars = false;
  bool log_x = false;
  bool log_y = false;
  // Under the bars; their x are 0, 1, 2, … Empty: the numbers themselves.
  std::vector<std::string> labels = {};
  std::vector<PlotSeries> series = {};

  bool empty() const;  // no point in any series
};

struct Report {
  std::string title;
  std::string command;
  std::vector<std::pair<std::string, std::string>> parameters;
  std::vector<Figure> figures;
  std::vector<Plot> plots;
  sim::RunFigures run;
};

// --report FILE.html, to be among the options of an experiment.
OptionSpec report_option();

// Whether the report that was asked for can be made at all; errors are noted in `reader`. Call it
// before the experiment runs.
void check_report(Reader& reader, const Options& options);

// What the command was called with, defaults included.
std::vector<std::pair<std::string, std::string>> parameters_of(const Options& options);

// Writes the page if --report was given. Errors: failed (gnuplot, or the file).
Result<Exit> write_report(const Report& report, const Options& options);

}  // namespace pastry::cli
