// Names of servers: how they are displayed and compared.
#pragma once

#include "text.h"

namespace halloo {

static const int MAX_NAME_CHARACTERS = 64;
static const size_t MAX_NAME_BYTES = 4 * MAX_NAME_CHARACTERS;
typedef Text<MAX_NAME_BYTES> Name;

/// Functions on names. Tables of Unicode do not fit on a small device: letters beyond Latin-1, Greek and Cyrillic are compared
/// as they are, and a letter with an accent is expected as one character, as servers send it.
class Names {
 public:
  // Results are written to a parameter, because the stack of an ESP8266 has only 4 KiB.

  /// Sets `name` to a text without characters that are not displayed, or that change how others are.
  static void clean(Characters characters, Name& name) {
    name.clear();
    uint32_t character = 0;
    for (int count = 0; count < MAX_NAME_CHARACTERS && nextVisible(characters, character); count++) name.append(character);
  }

  /// Sets `key` to the form of a name in which it is compared.
  static void readKey(const char* name, Name& key) {
    key.clear();
    Characters characters = trimmed(name);
    uint32_t character = 0;
    bool isAfterSpace = false;
    for (int count = 0; count < MAX_NAME_CHARACTERS && nextVisible(characters, character); count++) {
      if (character == ' ') {
        isAfterSpace = true;
        continue;
      }
      if (isAfterSpace && !key.isEmpty()) key.append(' ');
      isAfterSpace = false;
      key.append(toLower(character));
    }
  }

  /// Returns how well a text matches a server: 0 if it does not, and more if it matches better.
  static int match(const char* text, const char* id, const char* name) {
    Name sought, known;
    readKey(text, sought);
    if (sought.isEmpty()) return 0;
    readKey(id, known);
    if (sought == known.c_str()) return ID;
    readKey(name, known);
    if (sought == known.c_str()) return 3;
    if (hasSameWords(sought, known)) return 2;
    static const char ellipsis[] = "\xE2\x80\xA6";
    const size_t size = sought.size() < 3 ? 0 : sought.size() - 3;
    const bool isBeginning = size > 0 && strcmp(sought.c_str() + size, ellipsis) == 0;
    return isBeginning && strncmp(known.c_str(), sought.c_str(), size) == 0 ? 1 : 0;
  }

  /// What `match` returns for the id of a server.
  static const int ID = 4;

  /// Returns whether two application ids are the same.
  static bool isSameApp(const char* one, const char* other) {
    Name first, second;
    readKey(one, first);
    readKey(other, second);
    return !first.isEmpty() && first == second.c_str();
  }

 private:
  struct Range {
    uint32_t first, last;
  };

  template <size_t Count>
  static bool isIn(const Range (&ranges)[Count], uint32_t character) {
    for (size_t i = 0; i < Count; i++) {
      if (character >= ranges[i].first && character <= ranges[i].last) return true;
    }
    return false;
  }

  static bool isSpace(uint32_t character) {
    static const Range ranges[] = {{' ', ' '},         {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                                   {0x202F, 0x202F},   {0x205F, 0x205F}, {0x2800, 0x2800}, {0x3000, 0x3000}};
    return isIn(ranges, character);
  }

  /// Control and format characters, and others that are not displayed (Default_Ignorable_Code_Point of Unicode).
  static bool isHarmful(uint32_t character) {
    static const Range ranges[] = {
        {0x00, 0x1F},       {0x7F, 0x9F},       {0xAD, 0xAD},       {0x34F, 0x34F},     {0x600, 0x605},     {0x61C, 0x61C},
        {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x890, 0x891},     {0x8E2, 0x8E2},     {0x115F, 0x1160},   {0x17B4, 0x17B5},
        {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F},   {0x3164, 0x3164},   {0xFE00, 0xFE0F},
        {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x1343F},
        {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}};
    return isIn(ranges, character);
  }

  static uint32_t toLower(uint32_t character) {
    static const Range byCase[] = {{'A', 'Z'}, {0xC0, 0xD6}, {0xD8, 0xDE}, {0x391, 0x3A9}, {0x410, 0x42F}};
    if (isIn(byCase, character)) return character + 0x20;
    if (character >= 0x400 && character <= 0x40F) return character + 0x50;
    return character == 0x3C2 ? 0x3C3 : character;  // Both kinds of sigma are one letter.
  }

  static bool isLetterOrDigit(uint32_t character) {
    if (character < 0x80) {
      return (character >= '0' && character <= '9') || ((character | 0x20) >= 'a' && (character | 0x20) <= 'z');
    }
    static const Range punctuation[] = {{0x80, 0xA9}, {0xAB, 0xB1},     {0xB4, 0xB4},     {0xB6, 0xB8},
                                        {0xBB, 0xBB}, {0xBF, 0xBF},     {0xD7, 0xD7},     {0xF7, 0xF7},
                                        {0x2000, 0x206F}, {0x2190, 0x2BFF}, {0x3001, 0x3003}, {0x3008, 0x301F}};
    return !isIn(punctuation, character);
  }

  /// Reads the letters and digits of a name, with one hyphen between words.
  class Words {
   public:
    explicit Words(const Name& key) : characters_(key.c_str()) {}

    /// Returns 0 at the end.
    uint32_t next() {
      if (held_ == 0) {
        uint32_t character = 0;
        bool isAfterWord = false;
        while (characters_.next(character) && !isLetterOrDigit(character)) isAfterWord = hasBegun_;
        held_ = isLetterOrDigit(character) ? character : 0;
        if (isAfterWord && held_ != 0) return '-';
      }
      const uint32_t character = held_;
      held_ = 0;
      hasBegun_ = true;
      return character;
    }

   private:
    Characters characters_;
    uint32_t held_ = 0;
    bool hasBegun_ = false;
  };

  static bool hasSameWords(const Name& one, const Name& other) {
    Words first(one), second(other);
    for (bool isFirst = true;; isFirst = false) {
      const uint32_t character = first.next();
      if (character != second.next()) return false;
      if (character == 0) return !isFirst;
    }
  }

  /// Reads the next character that is displayed.
  static bool nextVisible(Characters& characters, uint32_t& character) {
    while (characters.next(character)) {
      if (isSpace(character)) character = ' ';
      if (!isHarmful(character)) return true;
    }
    return false;
  }

  static Characters trimmed(const char* text) {
    const char* end = text + strlen(text);
    while (text != end && isAsciiSpace(*text)) text++;
    while (text != end && isAsciiSpace(end[-1])) end--;
    return Characters(text, end, false);
  }

  static bool isAsciiSpace(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }
};

}  // namespace halloo
