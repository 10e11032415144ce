// The recent segments of a topic at one node: what its children and subscribers still need, and
// history for children that come back.
//
// Segments are numbered from 0 in the order in which they arrived; a number is called index and
// stays valid when older segments are dropped.
#pragma once

#include <cstdint>
#include <deque>

#include "scribe/frames.h"

namespace scribe {

struct LogEntry {
  Segment segment;
  // Leading messages that subscribers of this node already have.
  std::size_t skip = 0;
  // Messages that are missing before this segment, after `gap_after`; `gap` set without a count:
  // unknown how many.
  bool gap = false;
  std::uint64_t missing = 0;
  Position gap_after;
  // Messages and bytes in the log before this segment, since the log was made.
  std::uint64_t messages_before = 0;
  std::uint64_t bytes_before = 0;
};

class SegmentLog {
 public:
  std::uint64_t first() const { return first_; }
  std::uint64_t end() const { return first_ + entries_.size(); }
  // first() <= index < end().
  const LogEntry& at(std::uint64_t index) const { return entries_[index - first_]; }

  // Adds a segment behind all others; its position is after theirs.
  void push(LogEntry entry);

  // Index of the first segment that has a message after `position`; end() if there is none.
  std::uint64_t find_after(const Position& position) const;

  // Messages and bytes in segments from index `from` up to index `to`, clipped to what is there.
  std::uint64_t messages(std::uint64_t from, std::uint64_t to) const;
  std::uint64_t bytes(std::uint64_t from, std::uint64_t to) const;
  std::uint64_t bytes() const { return bytes(first_, end()); }

  // Drops the oldest segments below index `limit` until at most so many messages and bytes are
  // left. True if it dropped something.
  bool trim(std::uint64_t limit, std::size_t messages_max, std::size_t bytes_max);
  // Drops everything; indices go on.
  void clear();

 private:
  std::uint64_t messages_before(std::uint64_t index) const;
  std::uint64_t bytes_before(std::uint64_t index) const;

  std::deque<LogEntry> entries_;
  std::uint64_t first_ = 0;
  std::uint64_t messages_ = 0;  // ever pushed
  std::uint64_t bytes_ = 0;
};

}  // namespace scribe
