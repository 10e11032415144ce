#include "pastry/core/error.h"
