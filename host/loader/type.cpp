#include "host/loader/type.hpp"

namespace sluice::loader {

const sluice_port* Type::find_port(std::string_view key) const {
  for (const sluice_port& port : ports()) {
    if (port.key == key) return &port;
  }
  return nullptr;
}

const sluice_parameter* Type::find_parameter(std::string_view key) const {
  for (const sluice_parameter& parameter : parameters()) {
    if (parameter.key == key) return &parameter;
  }
  return nullptr;
}

}  // namespace sluice::loader
