// Application ids of the project's own services.
#pragma once

#include "pastry/core/message.h"

namespace pastry {

inline constexpr ApplicationId kLookupApplication{1};   // pastry lookup, trace
inline constexpr ApplicationId kReplicaApplication{2};  // pastry/replica
inline constexpr ApplicationId kPastApplication{3};     // past
inline constexpr ApplicationId kScribeApplication{4};   // scribe

}  // namespace pastry
