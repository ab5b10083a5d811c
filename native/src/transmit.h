// Sends frames in batches without ever waiting for long.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace herald {

// Sends whole Ethernet frames through an interface, in order, and gives how many went out.
// A frame that is refused is skipped. Where the kernel's queue is full, waits up to `patienceMs` in all, then skips too.
size_t transmit(int socket, int ifindex, std::span<const iovec> frames, int patienceMs);

}  // namespace herald
