// The code that the Cap'n Proto compiler made of scribe.capnp. Internal.
#pragma once
// It is not held to the project's warnings.
#pragma GCC system_header

#include "scribe/scribe.capnp.h"
