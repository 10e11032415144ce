#include "apps/sim/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>

extern char** environ;

namespace pastry::cli {
namespace {

namespace fs = std::filesystem;

// Removed with what is in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (fs::temp_directory_path() / "pastry-report-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "\"";
}

void write_data(std::ostream& script, const Plot& plot) {
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    script << "$series" << i << " << END\n";
    for (const auto& [x, y] : plot.series[i].points) script << x << " " << y << "\n";
    script << "END\n";
  }
}

void write_labels(std::ostream& script, const Plot& plot) {
  if (plot.labels.empty()) return;
  script << "set xtics (";
  for (std::size_t i = 0; i < plot.labels.size(); ++i) {
    script << (i == 0 ? "" : ", ") << quoted(plot.labels[i]) << " " << i;
  }
  script << ")\n";
}

// Bars of several series stand side by side.
void write_bars(std::ostream& script, const Plot& plot) {
  const double width = 0.8 / static_cast<double>(plot.series.size());
  script << "set style fill solid 0.8\nset boxwidth " << width << " absolute\nset yrange [0:*]\n";
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const double shift =
        (static_cast<double>(i) - static_cast<double>(plot.series.size() - 1) / 2) * width;
    script << (i == 0 ? "plot " : ", ") << "$series" << i << " using ($1+" << shift
           << "):2 with boxes title " << quoted(plot.series[i].name);
  }
  script << "\n";
}

void write_lines(std::ostream& script, const Plot& plot) {
  if (plot.log_x) script << "set logscale x\n";
  if (plot.log_y) script << "set logscale y\n";
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    script << (i == 0 ? "plot " : ", ") << "$series" << i
           << " using 1:2 with linespoints pointtype 7 pointsize 0.4 title "
           << quoted(plot.series[i].name);
  }
  script << "\n";
}

std::string script_of(const Plot& plot, const fs::path& output) {
  std::ostringstream script;
  script << std::setprecision(10);
  script << "set terminal svg size 720,400 dynamic noenhanced font 'sans-serif,13' background "
            "'white'\n"
         << "set output " << quoted(output.string()) << "\nset encoding utf8\nset grid\n"
         << "set key outside below\nset title " << quoted(plot.title) << "\nset xlabel "
         << quoted(plot.x_label) << "\nset ylabel " << quoted(plot.y_label) << "\n";
  write_data(script, plot);
  write_labels(script, plot);
  plot.bars ? write_bars(script, plot) : write_lines(script, plot);
  return script.str();
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Runs gnuplot on the script with what it says going to `log`.
bool run_gnuplot(const fs::path& script, const fs::path& log) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  std::string program = "gnuplot";
  std::string argument = script.string();
  char* const arguments[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return false;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

bool have_gnuplot() {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (::access((fs::path(directory) / "gnuplot").c_str(), X_OK) == 0) return true;
  }
  return false;
}

Result<std::string> draw_svg(const Plot& plot) {
  const ScratchDirectory scratch;
  if (scratch.path().empty()) return fail(ErrorCode::failed, "no temporary directory");
  const fs::path script = scratch.path() / "plot.gp";
  const fs::path output = scratch.path() / "plot.svg";
  const fs::path log = scratch.path() / "log";
  std::ofstream(script) << script_of(plot, output);
  if (!run_gnuplot(script, log)) {
    std::istringstream said(read_file(log));
    std::string line;
    while (line.find_first_not_of(" ^\t") == std::string::npos && std::getline(said, line)) {
    }
    return fail(ErrorCode::failed, "gnuplot could not draw the plot: " + line);
  }
  std::string svg = read_file(output);
  const std::size_t begin = svg.find("<svg");
  if (begin == std::string::npos) return fail(ErrorCode::failed, "gnuplot drew nothing");
  return svg.substr(begin);
}

}  // namespace pastry::cli
