#include "apps/sim/report.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "apps/cli/output.h"
#include "apps/cli/output_file.h"
#include "apps/sim/gnuplot.h"
#include "apps/sim/sim_common.h"

namespace pastry::cli {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}"
    "th,td{border:1px solid #ccc;padding:.25em .7em;text-align:left}"
    "td.number{text-align:right;font-variant-numeric:tabular-nums}"
    "figure{margin:1.5em 0}svg{max-width:100%;height:auto}code{background:#f3f3f3;padding:0 .3em}";

std::string escaped(const std::string& text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '&':
        html += "&amp;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string number_text(double value) {
  std::ostringstream text;
  text << std::setprecision(4) << value;
  return text.str();
}

std::string cell(const std::string& text) { return "<td>" + escaped(text) + "</td>"; }
std::string number_cell(const std::string& text) {
  return "<td class=\"number\">" + text + "</td>";
}

std::string figures_table(const Report& report) {
  std::string html = "<table><tr><th>Figure</th><th>here</th><th>published</th><th></th></tr>\n";
  for (const Figure& figure : report.figures) {
    html += "<tr>" + cell(figure.name) + number_cell(number_text(figure.ours)) +
            number_cell(figure.published ? number_text(*figure.published) : "&ndash;") +
            cell(figure.note) + "</tr>\n";
  }
  return html + "</table>\n";
}

std::string parameters_table(const Report& report) {
  std::string html = "<table><tr><th>Parameter</th><th>value</th></tr>\n";
  for (const auto& [name, value] : report.parameters) {
    html += "<tr>" + cell(name) + cell(value) + "</tr>\n";
  }
  return html + "</table>\n";
}

std::string run_table(const sim::RunFigures& run) {
  std::string features;
  for (const std::string& feature : run.features) {
    features += (features.empty() ? "" : ", ") + feature;
  }
  return "<table>\n<tr><td>What was on</td>" + cell(features) + "</tr>\n<tr><td>Virtual time</td>" +
         cell(number_text(run.virtual_s) + " s") + "</tr>\n<tr><td>Real time</td>" +
         cell(number_text(run.wall_s) + " s") + "</tr>\n<tr><td>Events</td>" +
         cell(std::to_string(run.events)) + "</tr>\n<tr><td>Memory at most</td>" +
         cell(size_text(run.peak_rss_bytes)) + "</tr>\n<tr><td>Trace hash</td>" +
         cell(hex(run.trace_hash)) + "</tr>\n</table>\n";
}

Result<std::string> page_of(const Report& report) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" +
                     escaped(report.title) + "</title><style>" + kStyle +
                     "</style></head><body>\n<h1>" + escaped(report.title) +
                     "</h1>\n<p>Made by <code>" + escaped(report.command) + "</code>.</p>\n" +
                     figures_table(report);
  for (const Plot& plot : report.plots) {
    if (plot.empty()) continue;  // no lookups, no curve
    const Result<std::string> drawing = draw_svg(plot);
    if (!drawing) return drawing;
    html += "<figure>" + *drawing + "</figure>\n";
  }
  html += "<h2>Parameters</h2>\n" + parameters_table(report) + "<h2>The run</h2>\n" +
          run_table(report.run) + "</body></html>\n";
  return html;
}

}  // namespace

bool Plot::empty() const {
  return std::all_of(series.begin(), series.end(),
                     [](const PlotSeries& one) { return one.points.empty(); });
}

OptionSpec report_option() {
  return {"report", 0, "FILE.html", "also write a page with figures and plots (needs gnuplot)"};
}

void check_report(Reader& reader, const Options& options) {
  const std::string path = options.text("report");
  if (path.empty()) return;
  if (path == "-") {
    reader.note({ErrorCode::invalid, "--report takes the name of a file, not '-'"});
  } else if (const auto writable = OutputFile::check(path); !writable) {
    reader.note({ErrorCode::invalid, "--report: " + writable.error().message +
                                         "; give a file in a directory that exists and that you "
                                         "may write to"});
  }
  if (!have_gnuplot()) {
    reader.note({ErrorCode::failed,
                 "--report needs gnuplot, which is not in the PATH (Debian: gnuplot-nox)"});
  }
}

std::vector<std::pair<std::string, std::string>> parameters_of(const Options& options) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const auto& [name, value] : options.all()) {
    const bool about_output = name == "report" || name == "json" || name == "help" ||
                              name == "config" || name == "timeout";
    if (!about_output) parameters.emplace_back("--" + name, value.empty() ? "not given" : value);
  }
  return parameters;
}

Result<Exit> write_report(const Report& report, const Options& options) {
  const std::string path = options.text("report");
  if (path.empty()) return Exit::done;
  const Result<std::string> page = page_of(report);
  if (!page) return tl::unexpected<Error>(page.error());
  auto file = OutputFile::open(path);
  if (!file) return tl::unexpected<Error>(file.error());
  if (auto written =
          file->write({reinterpret_cast<const std::uint8_t*>(page->data()), page->size()});
      !written)
    return tl::unexpected<Error>(written.error());
  if (auto committed = file->commit(); !committed) return tl::unexpected<Error>(committed.error());
  return Exit::done;
}

}  // namespace pastry::cli
