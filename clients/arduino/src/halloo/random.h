// Random numbers.
#pragma once

#include <stdint.h>

namespace halloo {

/// Returns 32 random bits.
typedef uint32_t (*RandomSource)();

/// Returns a number from 0 to `largest`, each equally likely.
inline uint32_t randomUpTo(uint32_t largest, RandomSource random) {
  return static_cast<uint32_t>((static_cast<uint64_t>(random()) * (static_cast<uint64_t>(largest) + 1)) >> 32);
}

}  // namespace halloo
