// A frame on its way out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace herald {

// Without padding or frame check sequence. As long as the longest, a neighbor advertisement.
struct Reply {
  std::array<uint8_t, 86> frame;
  size_t size = 0;
};

}  // namespace herald
