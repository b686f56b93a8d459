#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "host/graph/catalog.hpp"
#include "host/graph/json_text.hpp"
#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"

namespace sluice::graph {
namespace {

using support::Error;
using support::ErrorCode;
using support::Result;

constexpr std::int64_t kMaximumInteger = std::int64_t{1} << 53;

bool is_numeric(ParameterKind kind) {
  return kind != ParameterKind::kBoolean && kind != ParameterKind::kText &&
         kind != ParameterKind::kChoice;
}

// What stands in `value`, for the end of a sentence; nothing of a secret.
std::string seen(const Parameter& parameter, const Value& value) {
  if (parameter.secret) return {};
  if (value.is_text() && value.text().empty()) return ", not empty";
  if (value.is_text()) return ", not the text " + shown(value.text());
  if (value.is_array() || value.is_object()) return ", not " + std::string(value.kind_name());
  return ", not " + to_json(value);
}

Error refuse(const Parameter& parameter, const Value& value) {
  std::string range = allowed_range(parameter);
  if (!range.empty() && is_numeric(parameter.kind)) range = " (" + range + ")";
  const bool listed =
      parameter.kind == ParameterKind::kChoice || parameter.kind == ParameterKind::kBoolean;
  std::string message =
      "must be " + kind_name(parameter) + (listed ? "" : range) + seen(parameter, value);
  if (value.is_text() && !parameter.secret) {
    if (parameter.kind == ParameterKind::kChoice) {
      message += did_you_mean(value.text(), {parameter.choices.begin(), parameter.choices.end()});
    } else if (const auto inner = parse_json_value(value.text());
               inner && !inner->is_text() && check_value(parameter, *inner)) {
      message += "; remove the quotes";
    }
  }
  return {ErrorCode::kInvalid, std::move(message)};
}

Error out_of_range(const Parameter& parameter, double number, const std::string& which) {
  return {ErrorCode::kInvalid,
          "must be " + allowed_range(parameter) +
              (parameter.secret ? "" : "; " + number_text(number) + which + " is outside")};
}

bool within(const Parameter& parameter, double number) {
  return !(parameter.minimum && number < *parameter.minimum) &&
         !(parameter.maximum && number > *parameter.maximum);
}

Result<ParameterValue> check_integer(const Parameter& parameter, const Value& value) {
  const double number = value.number();
  if (number != std::trunc(number)) return refuse(parameter, value);
  if (!within(parameter, number)) return out_of_range(parameter, number, "");
  const bool exact = value.is_integer()
                         ? value.integer() >= -kMaximumInteger && value.integer() <= kMaximumInteger
                         : std::abs(number) <= static_cast<double>(kMaximumInteger);
  if (!exact) {
    return Error{ErrorCode::kInvalid, "must be between -2^53 and 2^53"};
  }
  return ParameterValue(static_cast<std::int64_t>(number));
}

// Appends a list of numbers; `where` says which for messages (" in row 2").
Result<std::size_t> append_numbers(const Parameter& parameter, const Value& list,
                                   const std::string& where, std::vector<double>& numbers) {
  for (const Value& element : list.elements()) {
    if (!element.is_number()) return refuse(parameter, list);
    const double number = element.number();
    if (!within(parameter, number)) return out_of_range(parameter, number, where);
    numbers.push_back(number);
  }
  return list.elements().size();
}

Result<ParameterValue> check_list(const Parameter& parameter, const Value& value) {
  if (!value.is_array()) return refuse(parameter, value);
  for (const Value& element : value.elements()) {
    if (element.is_number()) continue;
    return Error{ErrorCode::kInvalid,
                 "must be " + kind_name(parameter) + " only" + seen(parameter, element)};
  }
  std::vector<double> numbers;
  auto count = append_numbers(parameter, value, "", numbers);
  if (!count) return std::move(count).error();
  return ParameterValue(std::move(numbers));
}

Result<ParameterValue> check_matrix(const Parameter& parameter, const Value& value) {
  if (!value.is_array()) return refuse(parameter, value);
  Matrix matrix;
  for (const Value& row : value.elements()) {
    ++matrix.rows;
    const std::string where = " in row " + std::to_string(matrix.rows);
    const bool numbers = row.is_array() && !row.elements().empty() &&
                         std::all_of(row.elements().begin(), row.elements().end(),
                                     [](const Value& element) { return element.is_number(); });
    if (!numbers) {
      return Error{ErrorCode::kInvalid, "must be " + kind_name(parameter) + "; row " +
                                            std::to_string(matrix.rows) +
                                            " is not a list of numbers"};
    }
    auto count = append_numbers(parameter, row, where, matrix.numbers);
    if (!count) return std::move(count).error();
    const std::size_t columns = value.elements().front().elements().size();
    if (*count != columns) {
      return Error{ErrorCode::kInvalid, "must have rows of equal length; row " +
                                            std::to_string(matrix.rows) + " has " +
                                            std::to_string(*count) + " numbers, the first has " +
                                            std::to_string(columns)};
    }
  }
  return ParameterValue(std::move(matrix));
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

ParameterValue default_value(const Parameter& parameter) {
  if (parameter.default_value) return *parameter.default_value;
  switch (parameter.kind) {
    case ParameterKind::kNumber:
      return 0.0;
    case ParameterKind::kInteger:
      return std::int64_t{0};
    case ParameterKind::kBoolean:
      return false;
    case ParameterKind::kText:
      return std::string();
    case ParameterKind::kChoice:
      return parameter.choices.empty() ? std::string() : parameter.choices.front();
    case ParameterKind::kList:
      return std::vector<double>();
    case ParameterKind::kMatrix:
      return Matrix();
  }
  return false;
}

std::string allowed_range(const Parameter& parameter) {
  if (parameter.kind == ParameterKind::kBoolean) return "true or false";
  if (parameter.kind == ParameterKind::kText) return {};
  if (parameter.kind == ParameterKind::kChoice) {
    return joined({parameter.choices.begin(), parameter.choices.end()}, "or");
  }
  const std::string unit = parameter.unit.empty() ? "" : " " + parameter.unit;
  if (parameter.minimum && parameter.maximum) {
    return number_text(*parameter.minimum) + " to " + number_text(*parameter.maximum) + unit;
  }
  if (parameter.minimum) return "at least " + number_text(*parameter.minimum) + unit;
  if (parameter.maximum) return "at most " + number_text(*parameter.maximum) + unit;
  return {};
}

std::string kind_name(const Parameter& parameter) {
  switch (parameter.kind) {
    case ParameterKind::kNumber:
      return "a number";
    case ParameterKind::kInteger:
      return "a whole number";
    case ParameterKind::kBoolean:
      return "true or false";
    case ParameterKind::kText:
      return "text";
    case ParameterKind::kChoice:
      return (parameter.choices.size() == 1 ? "" : "one of ") + allowed_range(parameter);
    case ParameterKind::kList:
      return "a list of numbers";
    case ParameterKind::kMatrix:
      return "a list of rows of numbers";
  }
  return {};
}

Value to_value(const ParameterValue& value) {
  const auto list = [](auto begin, auto end) {
    Value::Array elements;
    for (; begin != end; ++begin) elements.emplace_back(*begin);
    return Value(std::move(elements));
  };
  if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
    return list(numbers->begin(), numbers->end());
  }
  if (const auto* matrix = std::get_if<Matrix>(&value)) {
    Value rows = Value::array();
    const auto columns = static_cast<std::ptrdiff_t>(matrix->columns());
    for (auto row = matrix->numbers.begin(); row != matrix->numbers.end(); row += columns) {
      rows.push_back(list(row, row + columns));
    }
    return rows;
  }
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return std::get<std::string>(value);
}

std::string to_text(const ParameterValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return to_json(to_value(value));
}

Result<ParameterValue> check_value(const Parameter& parameter, const Value& value) {
  switch (parameter.kind) {
    case ParameterKind::kNumber:
      if (!value.is_number()) return refuse(parameter, value);
      if (!within(parameter, value.number())) return out_of_range(parameter, value.number(), "");
      return ParameterValue(value.number());
    case ParameterKind::kInteger:
      if (!value.is_number()) return refuse(parameter, value);
      return check_integer(parameter, value);
    case ParameterKind::kBoolean:
      if (!value.is_bool()) return refuse(parameter, value);
      return ParameterValue(value.boolean());
    case ParameterKind::kText:
      if (!value.is_text()) return refuse(parameter, value);
      return ParameterValue(value.text());
    case ParameterKind::kChoice:
      if (!value.is_text() || std::find(parameter.choices.begin(), parameter.choices.end(),
                                        value.text()) == parameter.choices.end()) {
        return refuse(parameter, value);
      }
      return ParameterValue(value.text());
    case ParameterKind::kList:
      return check_list(parameter, value);
    case ParameterKind::kMatrix:
      return check_matrix(parameter, value);
  }
  return Error{ErrorCode::kInternal, "is of a kind that does not exist"};
}

Result<ParameterValue> parse_value(const Parameter& parameter, std::string_view text) {
  if (parameter.kind == ParameterKind::kText || parameter.kind == ParameterKind::kChoice) {
    return check_value(parameter, std::string(text));
  }
  std::string json(trimmed(text));
  const bool is_list = parameter.kind == ParameterKind::kList;
  if (is_list && !json.starts_with('[')) json = "[" + json + "]";
  if (auto value = parse_json_value(json); value && !value->is_text()) {
    return check_value(parameter, *value);
  }
  return refuse(parameter, std::string(text));
}

}  // namespace sluice::graph
