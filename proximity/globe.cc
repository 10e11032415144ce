#include "proximity/globe.h"

#include <cmath>

namespace proximity {
namespace {

constexpr double kPi = 3.14159265358979323846;

// 0 <= t <= 1; error below 1e-12.
double arc_tangent(double t) {
  // atan(t) = 2 atan(t / (1 + sqrt(1 + t^2))), twice, leaves t < 0.2 for the series.
  t = t / (1.0 + std::sqrt(1.0 + t * t));
  t = t / (1.0 + std::sqrt(1.0 + t * t));
  const double square = t * t;
  double sum = 0;
  for (int k = 17; k >= 1; k -= 2) sum = 1.0 / k - square * sum;
  return 4.0 * t * sum;
}

// The direction of (x, y) in degrees, -180 … 180.
double direction(double x, double y) {
  const double right = std::abs(x);
  const double up = std::abs(y);
  if (right == 0 && up == 0) return 0;
  double degrees = 180.0 / kPi * arc_tangent(right > up ? up / right : right / up);
  if (right <= up) degrees = 90.0 - degrees;
  if (x < 0) degrees = 180.0 - degrees;
  return y < 0 ? -degrees : degrees;
}

// -180 … 180; by the series, after the symmetries have brought it to -90 … 90.
double sine(double degrees) {
  if (degrees > 90) degrees = 180.0 - degrees;
  if (degrees < -90) degrees = -180.0 - degrees;
  const double square = degrees * kPi / 180.0 * (degrees * kPi / 180.0);
  double sum = 0;
  for (int k = 24; k >= 2; k -= 2) sum = square / (k * (k + 1)) * (1.0 - sum);
  return degrees * kPi / 180.0 * (1.0 - sum);
}

double cosine(double degrees) { return sine(90.0 - std::abs(degrees)); }

}  // namespace

double angle(const Point& a, const Point& b) {
  const Point difference{a.x - b.x, a.y - b.y, a.z - b.z};
  const Point sum{a.x + b.x, a.y + b.y, a.z + b.z};
  const auto length = [](const Point& p) { return std::sqrt(p.x * p.x + p.y * p.y + p.z * p.z); };
  const double apart = length(difference);
  const double together = length(sum);
  return apart <= together ? 2.0 / kPi * arc_tangent(apart / together)
                           : 1.0 - 2.0 / kPi * arc_tangent(together / apart);
}

Point point_of(const Coordinates& coordinates) {
  const double around = cosine(coordinates.latitude);
  return {around * cosine(coordinates.longitude), around * sine(coordinates.longitude),
          sine(coordinates.latitude)};
}

Coordinates coordinates_of(const Point& point) {
  const double around = std::sqrt(point.x * point.x + point.y * point.y);
  return {direction(around, point.z), direction(point.x, point.y)};
}

}  // namespace proximity
