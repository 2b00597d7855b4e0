// How client and server prove to each other that they know the token.
#pragma once

#include "sha256.h"
#include "text.h"

namespace halloo {

/// Returns bytes in base64url without padding.
template <size_t Size>
Text<(Size * 8 + 5) / 6> toBase64Url(const uint8_t (&bytes)[Size]) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  Text<(Size * 8 + 5) / 6> text;
  for (size_t bit = 0; bit < Size * 8; bit += 6) {
    const unsigned next = bit / 8 + 1 < Size ? bytes[bit / 8 + 1] : 0;
    const unsigned both = static_cast<unsigned>(bytes[bit / 8]) << 8 | next;
    text.append(static_cast<uint32_t>(alphabet[both >> (10 - bit % 8) & 63]));
  }
  return text;
}

/// One exchange of proofs, as the client begins it.
class Exchange {
 public:
  typedef Text<43> Proof;

  /// `nonce` are 16 random bytes. `token` is not copied.
  Exchange(const char* token, const char* id, const char* challenge, const uint8_t (&nonce)[16])
      : token_(token), nonce_(toBase64Url(nonce)), isValid_(isBase64Url(id, 32) && isBase64Url(challenge, 64)) {
    id_.append(id);
    challenge_.append(challenge);
  }

  /// Returns whether it is a valid challenge.
  bool isValid() const { return isValid_; }

  Proof clientProof() const { return proof("halloo client\n"); }
  Proof serverProof() const { return proof("halloo server\n"); }

  /// Returns whether this is the proof of the server, in the same time for every text.
  bool isServerProof(const char* given) const {
    const Proof expected = serverProof();
    if (strlen(given) != expected.size()) return false;
    uint8_t difference = 0;
    for (size_t i = 0; i < expected.size(); i++) difference |= static_cast<uint8_t>(given[i] ^ expected.c_str()[i]);
    return difference == 0;
  }

  /// Returns the value of `Authorization`.
  Text<192> authorization() const {
    Text<192> text;
    text.append("Halloo challenge=\"").append(challenge_.c_str()).append("\", nonce=\"").append(nonce_.c_str());
    return text.append("\", proof=\"").append(clientProof().c_str()).append("\"");
  }

 private:
  static bool isBase64Url(const char* text, size_t limit) {
    const size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
      const char byte = text[i];
      const bool isAlphanumeric = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
      if (!isAlphanumeric && byte != '-' && byte != '_') return false;
    }
    return size >= 1 && size <= limit;
  }

  Proof proof(const char* side) const {
    uint8_t hash[Sha256::SIZE];
    HmacSha256 hmac(token_, strlen(token_));
    hmac.add(side).add(id_.c_str()).add("\n").add(challenge_.c_str()).add("\n").add(nonce_.c_str()).finish(hash);
    return toBase64Url(hash);
  }

  const char* token_;
  Text<22> nonce_;
  Text<32> id_;
  Text<64> challenge_;
  bool isValid_;
};

}  // namespace halloo
