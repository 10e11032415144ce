#include "apps/sim/services/file_work.h"

namespace pastry::cli {

void FileWork::started(sim::NodeIndex, replica::Replica&, past::Past&) {}
void FileWork::work(sim::NodeIndex, Random&) {}
void FileWork::gone(sim::NodeIndex) {}
void FileWork::examine() {}
std::string FileWork::unrest() { return {}; }
void FileWork::count(sim::fuzz::GuestFigures&) const {}

}  // namespace pastry::cli
