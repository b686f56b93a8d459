// Benchmarks against a peer in the same run: medians of paired ratios.
//
// A machine that throttles, or that somebody else uses too, changes both sides of a pair alike; so
// each round runs ours and the peer's right after each other, in alternating order, and the ratio
// is taken within the round.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::bench {

// Time that `work` takes, in ns.
template <typename Work>
double elapsed_ns(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  std::forward<Work>(work)();
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
  return spent.count();
}

// CPU time of this thread that `work` takes, in ns: for work on one thread, blind to whoever else
// runs on the machine.
template <typename Work>
double cpu_ns(Work&& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
  };
  const double begin = now();
  std::forward<Work>(work)();
  return now() - begin;
}

// Keeps a value from being optimised away.
template <typename T>
inline void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

inline double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2.0;
}

struct Paired {
  double ours = 0.0;                         // median cost
  double peer = 0.0;                         // median cost
  double ratio = 0.0;                        // median of ours / peer within a round
  std::vector<double> ours_each, peer_each;  // by round
};

// Runs `ours` and `peer` `rounds` times, after one round that does not count. Each returns its cost
// for the same fixed amount of work, in any unit.
template <typename Ours, typename Peer>
Paired run_paired(int rounds, Ours&& ours, Peer&& peer) {
  Paired result;
  std::vector<double> ratios;
  ours();
  peer();
  for (int round = 0; round < rounds; ++round) {
    double our_cost = 0.0;
    double peer_cost = 0.0;
    if (round % 2 == 0) {
      our_cost = ours();
      peer_cost = peer();
    } else {
      peer_cost = peer();
      our_cost = ours();
    }
    result.ours_each.push_back(our_cost);
    result.peer_each.push_back(peer_cost);
    ratios.push_back(our_cost / peer_cost);
  }
  result.ours = median(result.ours_each);
  result.peer = median(result.peer_each);
  result.ratio = median(std::move(ratios));
  return result;
}

// Prints one line for each measurement: name, ours, peer, ratio, goal, met or not.
class Table {
 public:
  explicit Table(const char* title) {
    std::printf("%s\n%s, %u CPUs\n", title, cpu_model().c_str(),
                std::thread::hardware_concurrency());
    std::printf("%-58s %12s %12s %9s  %-22s %s\n", "what", "ours", "peer", "ratio", "goal", "");
  }

  // `goal` as a sentence for people; an empty one makes the row information only.
  void row(const std::string& what, const Paired& it, const char* unit, const std::string& goal,
           bool is_met) {
    const std::string ours = number(it.ours) + " " + unit;
    const std::string peer = number(it.peer) + " " + unit;
    std::printf("%-58s %12s %12s %9.3f  %-22s %s\n", what.c_str(), ours.c_str(), peer.c_str(),
                it.ratio, goal.c_str(),
                goal.empty() ? ""
                : is_met     ? "met"
                             : "UNMET");
    std::fflush(stdout);
    if (!goal.empty() && !is_met) ++unmet_;
  }

  // A row whose goal is a ratio of costs.
  void row_at_most(const std::string& what, const Paired& it, const char* unit, double most) {
    row(what, it, unit, "ratio <= " + number(most), it.ratio <= most);
  }

  int unmet() const { return unmet_; }

 private:
  static std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
  }

  static std::string cpu_model() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
      const auto colon = line.find(": ");
      if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
        return line.substr(colon + 2);
      }
    }
    return "unknown CPU";
  }

  int unmet_ = 0;
};

}  // namespace sluice::bench
