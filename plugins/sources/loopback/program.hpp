// Which processes are one program to a person: a host and the processes that it runs isolated nodes
// in. [any]
#pragma once

#include <sys/types.h>

namespace loopback {

// The host that process `id` belongs to: its parent where both run the same executable file, as
// isolated nodes do, otherwise itself.
pid_t host_of(pid_t id);

}  // namespace loopback
