#include "proximity/topology.h"
