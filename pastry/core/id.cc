#include "pastry/core/id.h"
