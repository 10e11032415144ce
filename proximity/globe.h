// Points of the unit sphere: angles between them, and the coordinates of a globe. For the room's
// own files only.
//
// Only + - * / and sqrt, which every processor rounds the same way (the room is compiled without
// contraction to fused operations), so that distances do not depend on a mathematics library.
#pragma once

#include "proximity/location.h"

namespace proximity {

struct Point {
  double x;
  double y;
  double z;
};

// The angle between two points as a share of the half circle [Kahan]; error below 1e-12.
double angle(const Point& a, const Point& b);

// The poles are at z = 1 and z = -1, longitude 0 at x = 1, 90 at y = 1.
Point point_of(const Coordinates& coordinates);
Coordinates coordinates_of(const Point& point);

}  // namespace proximity
