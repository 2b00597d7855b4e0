// The path that joins a room.
#pragma once

#include "text.h"

namespace halloo {

// Each of 64 bytes may need three characters.
typedef Text<6 + 3 * 64> RoomPath;

/// Sets `path` to the path that joins a room. Returns false if clients cannot join it: its name has 1 to 64 bytes, and is not
/// `.`, `..` or one that begins with `_`.
inline bool readRoom(const char* room, RoomPath& path) {
  const size_t size = strlen(room);
  path.clear();
  if (size < 1 || size > 64 || room[0] == '_' || strcmp(room, ".") == 0 || strcmp(room, "..") == 0) return false;
  path.append("/room/");
  for (; *room != '\0'; room++) {
    const uint8_t byte = static_cast<uint8_t>(*room);
    const bool isAlphanumeric = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
    if (isAlphanumeric || (byte != 0 && strchr("-._~", byte) != nullptr)) {
      path.append(static_cast<uint32_t>(byte));
    } else {
      static const char digits[] = "0123456789ABCDEF";
      path.append('%');
      path.append(static_cast<uint32_t>(digits[byte >> 4]));
      path.append(static_cast<uint32_t>(digits[byte & 15]));
    }
  }
  return true;
}

}  // namespace halloo
