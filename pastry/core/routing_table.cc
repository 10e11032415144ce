#include "pastry/core/routing_table.h"
