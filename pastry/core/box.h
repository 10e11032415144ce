// State that most nodes do not have at a time, on the heap while there is some; copied with its
// owner, unlike std::unique_ptr, so that a node can be copied as a whole.
#pragma once

#include <memory>
#include <utility>

namespace pastry {

template <typename T>
class Box : public std::unique_ptr<T> {
 public:
  using std::unique_ptr<T>::unique_ptr;

  Box() = default;
  Box(std::unique_ptr<T>&& other) : std::unique_ptr<T>(std::move(other)) {}
  Box(Box&&) noexcept = default;
  Box& operator=(Box&&) noexcept = default;
  Box(const Box& other) : std::unique_ptr<T>(other ? std::make_unique<T>(*other) : nullptr) {}
  Box& operator=(const Box& other) {
    if (this != &other) *this = Box(other);
    return *this;
  }
  ~Box() = default;
};

}  // namespace pastry
