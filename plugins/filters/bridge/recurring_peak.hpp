// The largest value that is no accident: it has come twice within the last one to two minutes. What
// came once is forgotten, and so is what does not come again. [audio]
#pragma once

#include <algorithm>
#include <utility>

namespace bridge {

class RecurringPeak {
 public:
  void reset() noexcept {
    now_ = before_ = {};
    passed_s_ = 0.0;
  }
  // Lets `seconds` pass.
  void pass(double seconds) noexcept {
    passed_s_ += seconds;
    if (passed_s_ < kWindowS) return;
    before_ = passed_s_ < 2.0 * kWindowS ? now_ : Window{};
    now_ = {};
    passed_s_ = 0.0;
  }
  void note(double value) noexcept { now_.note(value); }

  // 0 as long as nothing has come twice.
  double value() const {
    Window both = now_;
    both.note(before_.largest);
    both.note(before_.second);
    return both.second;
  }

 private:
  static constexpr double kWindowS = 60.0;

  struct Window {
    void note(double value) noexcept {
      if (value > largest) std::swap(value, largest);
      second = std::max(second, value);
    }
    double largest = 0.0, second = 0.0;
  };

  Window now_, before_;
  double passed_s_ = 0.0;
};

}  // namespace bridge
