#include "pastry/core/routing.h"
