// The C functions behind NodeHost. [control]
#pragma once

#include "host/validate/node_host.hpp"

namespace sluice::validate {

void fill_host(sluice_host& host, NodeHost& node_host);

}  // namespace sluice::validate
