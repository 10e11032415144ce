#include "proximity/proximity.h"
