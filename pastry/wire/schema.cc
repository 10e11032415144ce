#include "pastry/wire/schema.h"

#include "pastry/wire/pastry.capnp.c++"  // NOLINT: one object for all of it
