// What enters the trace hash besides upcalls; the numbers are part of the hash's definition.
#pragma once

#include <cstdint>

namespace pastry::sim {

enum TraceEntry : std::uint64_t {
  kTraceStart = 1,
  kTraceCrash,
  kTraceLeave,
  kTracePause,
  kTraceResume,
  kTraceActivity,
  kTraceEvent,
  kTraceMessage,
  kTraceDrop,
  kTraceArrival,
  kTraceStorage,
};

}  // namespace pastry::sim
