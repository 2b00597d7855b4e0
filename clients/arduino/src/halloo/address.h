// IPv4 addresses with a port.
#pragma once

#include "text.h"

namespace halloo {

struct Address {
  uint8_t ip[4];
  uint16_t port;

  bool operator==(const Address& other) const { return hasIp(other) && port == other.port; }
  bool hasIp(const Address& other) const { return memcmp(ip, other.ip, sizeof(ip)) == 0; }

  /// Returns whether another machine could reach it.
  bool isReachable() const {
    const bool isBroadcast = ip[0] == 255 && ip[1] == 255 && ip[2] == 255 && ip[3] == 255;
    const bool isUnspecified = ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] == 0;
    const bool isMulticast = ip[0] >= 224 && ip[0] <= 239;
    return !isBroadcast && !isUnspecified && !isMulticast && ip[0] != 127;
  }

  /// Reads four numbers without leading zeros. Returns false if the text is anything else.
  bool readIp(Characters characters) {
    uint32_t character = 0;
    int part = 0, digits = 0, value = 0;
    while (characters.next(character)) {
      if (character == '.' && digits > 0 && part < 3) {
        ip[part++] = static_cast<uint8_t>(value);
        digits = value = 0;
      } else if (character >= '0' && character <= '9' && (digits == 0 || value > 0)) {
        value = value * 10 + static_cast<int>(character - '0');
        digits++;
        if (value > 255) return false;
      } else {
        return false;
      }
    }
    ip[3] = static_cast<uint8_t>(value);
    return part == 3 && digits > 0;
  }

  Text<15> ipText() const {
    Text<15> text;
    for (int i = 0; i < 4; i++) {
      if (i > 0) text.append('.');
      text.appendNumber(ip[i]);
    }
    return text;
  }

  /// Returns the address as it is in a URL.
  Text<21> text() const {
    Text<21> text;
    text.append(ipText().c_str()).append(":").appendNumber(port);
    return text;
  }
};

}  // namespace halloo
