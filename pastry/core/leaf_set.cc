#include "pastry/core/leaf_set.h"
