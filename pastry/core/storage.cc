#include "pastry/core/storage.h"
