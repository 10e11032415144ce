#include "pastry/core/directory.h"
