#include "scribe/segment_log.h"

#include <algorithm>

namespace scribe {
namespace {

// What a segment costs besides its frame.
constexpr std::uint64_t kEntryBytes = sizeof(LogEntry) + 64;

std::uint64_t cost(const Segment& segment) { return segment.frame.size() + kEntryBytes; }

}  // namespace

void SegmentLog::push(LogEntry entry) {
  entry.messages_before = messages_;
  entry.bytes_before = bytes_;
  messages_ += entry.segment.count();
  bytes_ += cost(entry.segment);
  entries_.push_back(std::move(entry));
}

std::uint64_t SegmentLog::find_after(const Position& position) const {
  const auto found =
      std::partition_point(entries_.begin(), entries_.end(),
                           [&](const LogEntry& entry) { return entry.segment.last() <= position; });
  return first_ + static_cast<std::uint64_t>(found - entries_.begin());
}

std::uint64_t SegmentLog::messages_before(std::uint64_t index) const {
  if (index >= end()) return messages_;
  return entries_[std::max(index, first_) - first_].messages_before;
}

std::uint64_t SegmentLog::bytes_before(std::uint64_t index) const {
  if (index >= end()) return bytes_;
  return entries_[std::max(index, first_) - first_].bytes_before;
}

std::uint64_t SegmentLog::messages(std::uint64_t from, std::uint64_t to) const {
  return from < to ? messages_before(to) - messages_before(from) : 0;
}

std::uint64_t SegmentLog::bytes(std::uint64_t from, std::uint64_t to) const {
  return from < to ? bytes_before(to) - bytes_before(from) : 0;
}

bool SegmentLog::trim(std::uint64_t limit, std::size_t messages_max, std::size_t bytes_max) {
  const std::uint64_t before = first_;
  while (!entries_.empty() && first_ < limit &&
         (messages(first_, end()) > messages_max || bytes() > bytes_max)) {
    entries_.pop_front();
    ++first_;
  }
  return first_ > before;
}

void SegmentLog::clear() {
  first_ = end();
  entries_.clear();
}

}  // namespace scribe
