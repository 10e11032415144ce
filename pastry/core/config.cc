#include "pastry/core/config.h"
