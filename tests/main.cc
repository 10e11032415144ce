// doctest's main, and the report by which `./run test` counts the cases (tools/test_report.py).
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace {

class CountReport final : public doctest::IReporter {
 public:
  explicit CountReport(const doctest::ContextOptions& /*options*/) {
    const char* path = std::getenv("PASTRY_TEST_REPORT");
    if (path == nullptr) return;
    path_ = path;
    // A test program that a test starts must not write it too.
    unsetenv("PASTRY_TEST_REPORT");
  }

  void test_run_end(const doctest::TestRunStats& stats) override {
    if (path_.empty()) return;
    std::ofstream report(path_);
    report << "<testsuite name=\"doctest\" tests=\"" << stats.numTestCasesPassingFilters
           << "\" failures=\"" << stats.numTestCasesFailed << "\" errors=\"0\" skipped=\"0\"/>\n";
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  std::string path_;
};

REGISTER_LISTENER("count", 1, CountReport);

}  // namespace
