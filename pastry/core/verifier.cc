#include "pastry/core/verifier.h"
