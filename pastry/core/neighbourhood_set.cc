#include "pastry/core/neighbourhood_set.h"
