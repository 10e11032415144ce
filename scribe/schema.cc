#include "scribe/schema.h"

#include "scribe/scribe.capnp.c++"  // NOLINT: one object for all of it
