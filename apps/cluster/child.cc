#include "apps/cluster/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace fs = std::filesystem;

namespace pastry::cluster {
namespace {

std::string log_path(const Child& child) { return child.data_dir + ".log"; }

tl::unexpected<Error> system_error(const std::string& what) {
  return fail(ErrorCode::failed, what + ": " + std::generic_category().message(errno));
}

// Without the options of commands, which the cluster has read: its nodes get theirs as flags.
std::vector<char*> environment_of_nodes() {
  std::vector<char*> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("PASTRY_")) kept.push_back(*variable);
  }
  kept.push_back(nullptr);
  return kept;
}

// Only what is safe between fork and exec.
[[noreturn]] void become(char* const* arguments, char* const* environment, int output, int log,
                         pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(1);  // it died before that
  ::setpgid(0, 0);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  const int input = ::open("/dev/null", O_RDONLY);
  ::dup2(input, STDIN_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve("/proc/self/exe", arguments, environment);
  ::_exit(127);
}

}  // namespace

const char* name(ChildState state) {
  switch (state) {
    case ChildState::starting:
      return "starting";
    case ChildState::running:
      return "running";
    case ChildState::paused:
      return "paused";
    case ChildState::dead:
      return "dead";
  }
  return "dead";
}

Result<void> spawn(Child& child, const std::vector<std::string>& arguments) {
  std::array<int, 2> output{};
  if (::pipe2(output.data(), O_CLOEXEC) != 0) return system_error("cannot make a pipe");
  const int log = ::open(log_path(child).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) {
    const auto error = system_error("cannot write " + log_path(child));
    ::close(output[0]);
    ::close(output[1]);
    return error;
  }
  std::vector<std::string> words{"pastry"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  std::vector<char*> environment = environment_of_nodes();
  const pid_t supervisor = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(pointers.data(), environment.data(), output[1], log, supervisor);
  ::close(output[1]);
  ::close(log);
  if (pid < 0) {
    ::close(output[0]);
    return system_error("cannot start a process");
  }
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  child.pid = pid;
  child.output = output[0];
  child.line.clear();
  child.state = ChildState::starting;
  child.killed = false;
  return {};
}

std::string last_log_line(const Child& child) {
  std::ifstream file(log_path(child));
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace pastry::cluster
