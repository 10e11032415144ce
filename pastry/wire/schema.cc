#include "pastry/wire/schema.h"

#include "pastry/wire/hello.capnp.c++"   // NOLINT: one object for all of it
#include "pastry/wire/pastry.capnp.c++"  // NOLINT
