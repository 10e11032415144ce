// The code that the Cap'n Proto compiler made of pastry.capnp and hello.capnp. Internal.
#pragma once
// It is not held to the project's warnings.
#pragma GCC system_header

#include "pastry/wire/hello.capnp.h"
#include "pastry/wire/pastry.capnp.h"
