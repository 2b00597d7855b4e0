// SHA-256 (FIPS 180-4) and HMAC (RFC 2104).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace halloo {

class Sha256 {
 public:
  static const size_t SIZE = 32;
  static const size_t BLOCK = 64;

  Sha256() : length_(0) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(state_, initial, sizeof(state_));
  }

  Sha256& add(const void* data, size_t size) {
    const uint8_t* bytes = static_cast<const uint8_t*>(data);
    for (size_t i = 0; i < size; i++) {
      block_[length_++ % BLOCK] = bytes[i];
      if (length_ % BLOCK == 0) addBlock();
    }
    return *this;
  }

  void finish(uint8_t (&hash)[SIZE]) {
    const uint64_t bits = length_ * 8;
    const uint8_t end = 0x80, zero = 0;
    add(&end, 1);
    while (length_ % BLOCK != BLOCK - 8) add(&zero, 1);
    for (int shift = 56; shift >= 0; shift -= 8) {
      const uint8_t byte = static_cast<uint8_t>(bits >> shift);
      add(&byte, 1);
    }
    for (size_t i = 0; i < SIZE; i++) hash[i] = static_cast<uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
  }

 private:
  static uint32_t rotate(uint32_t value, int bits) { return value >> bits | value << (32 - bits); }

  void addBlock() {
    static const uint32_t constants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t words[64];
    for (int i = 0; i < 16; i++) {
      words[i] = static_cast<uint32_t>(block_[4 * i]) << 24 | static_cast<uint32_t>(block_[4 * i + 1]) << 16 |
                 static_cast<uint32_t>(block_[4 * i + 2]) << 8 | block_[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
      const uint32_t a = words[i - 15], b = words[i - 2];
      words[i] = words[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + words[i - 7] +
                 (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    uint32_t s[8];
    memcpy(s, state_, sizeof(s));
    for (int i = 0; i < 64; i++) {
      const uint32_t one = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
                           ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + words[i];
      const uint32_t two = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                           ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
      memmove(s + 1, s, 7 * sizeof(s[0]));
      s[4] += one;
      s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) state_[i] += s[i];
  }

  uint32_t state_[8];
  uint8_t block_[BLOCK];
  uint64_t length_;
};

class HmacSha256 {
 public:
  HmacSha256(const void* key, size_t size) {
    uint8_t block[Sha256::BLOCK] = {};
    if (size > sizeof(block)) {
      uint8_t hash[Sha256::SIZE];
      Sha256().add(key, size).finish(hash);
      memcpy(block, hash, sizeof(hash));
    } else {
      memcpy(block, key, size);
    }
    for (size_t i = 0; i < sizeof(block); i++) block[i] ^= 0x36;
    inner_.add(block, sizeof(block));
    for (size_t i = 0; i < sizeof(block); i++) block[i] ^= 0x36 ^ 0x5c;
    outer_.add(block, sizeof(block));
  }

  HmacSha256& add(const char* text) {
    inner_.add(text, strlen(text));
    return *this;
  }

  void finish(uint8_t (&hash)[Sha256::SIZE]) {
    inner_.finish(hash);
    outer_.add(hash, sizeof(hash)).finish(hash);
  }

 private:
  Sha256 inner_;
  Sha256 outer_;
};

}  // namespace halloo
