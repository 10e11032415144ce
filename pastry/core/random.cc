#include "pastry/core/random.h"
