// Runs one check in a process of its own: what crashes or hangs there is a result here. [control]
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace sluice::validate {

// What a check found; empty failures and no `skipped`: all is well.
struct Report {
  std::vector<std::string> failures;  // sentences
  std::vector<std::string> notes;     // figures, which are no judgement
  std::string skipped;                // why it does not apply; empty if it does
};

// Calls `body` in a child of this process, with no input, its output kept apart (see
// printed_bytes) and without core files. A child that dies, ends before `body` returns, or lasts
// longer than `patience` (of time on the clock, or of processor time) is a failure that says what
// was under way. Only while this process has one thread.
Report in_child(const std::function<void(Report&)>& body, std::chrono::milliseconds patience);

// ---- Inside the child.

// What is under way from now on, for the case that this process dies. Shared by all threads. [any]
void doing(const std::string& what);
// Ends the child with these failures: a call of the plugin will never return. [any]
[[noreturn]] void give_up(const std::set<std::string>& failures);
// Written to standard output and error since the child began.
size_t printed_bytes();

}  // namespace sluice::validate
