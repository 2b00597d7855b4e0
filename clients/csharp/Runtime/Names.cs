using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace HallooClient
{
    /// <summary>Names of servers: how they are displayed and compared.</summary>
    internal static class Names
    {
        public const int MaxCharacters = 64;

        private const int Joiner = 0x200D, NonJoiner = 0x200C, EmojiStyle = 0xFE0F, TextStyle = 0xFE0E, Keycap = 0x20E3;
        private const int MatchesId = 4;

        // Characters that are not displayed, although they are no format characters (Default_Ignorable_Code_Point).
        private static readonly int[,] Ignorable =
        {
            { 0x34F, 0x34F }, { 0x115F, 0x1160 }, { 0x17B4, 0x17B5 }, { 0x180B, 0x180F }, { 0x2060, 0x206F },
            { 0x3164, 0x3164 }, { 0xFE00, 0xFE0F }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFF8 }, { 0xE0000, 0xE0FFF },
        };

        private static readonly int[,] UnusualSpaces =
            { { 0x1680, 0x1680 }, { 0x2000, 0x200A }, { 0x2028, 0x2029 }, { 0x205F, 0x205F } };

        private static readonly int[,] Pictures = { { 0x2190, 0x21FF }, { 0x2300, 0x2BFF }, { 0x1F000, 0x1FAFF } };
        private static readonly int[,] Arabic = { { 0x620, 0x64A }, { 0x671, 0x6D3 }, { 0x6FA, 0x6FF }, { 0x750, 0x77F } };
        private const string OtherEmoji = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299";
        private const string Viramas = "\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca";

        /// <summary>Returns a text in Normalization Form C, without characters that could deceive.</summary>
        public static string Clean(string text, int limit = MaxCharacters)
        {
            var characters = Characters(text).Select(UsualSpace).Where(one => !IsHarmful(one) || IsJoiner(one)).ToList();
            var kept = new StringBuilder();
            int? before = null;
            for (var i = 0; i < characters.Count; i++)
            {
                var after = i + 1 < characters.Count ? characters[i + 1] : (int?)null;
                if (IsJoiner(characters[i]) && !IsJoining(before, characters[i], after)) continue;
                kept.Append(char.ConvertFromUtf32(characters[i]));
                before = characters[i];
            }
            var cut = Characters(kept.ToString().Normalize(NormalizationForm.FormC)).Take(limit).ToList();
            // The character that it joined was cut.
            while (cut.Count > 0 && IsJoiner(cut[cut.Count - 1]) &&
                   !IsJoining(cut.Count > 1 ? cut[cut.Count - 2] : (int?)null, cut[cut.Count - 1], null))
            {
                cut.RemoveAt(cut.Count - 1);
            }
            return string.Concat(cut.Select(char.ConvertFromUtf32));
        }

        /// <summary>Returns the form of a name in which it is compared.</summary>
        public static string Key(string name)
        {
            var characters = Characters(Clean(name.Trim())).Where(one => !IsJoiner(one)).Select(char.ConvertFromUtf32);
            // Special cases that not every platform knows.
            var folded = string.Concat(characters).Replace("ß", "ss").ToUpperInvariant().ToLowerInvariant().Replace('ς', 'σ');
            var words = folded.Normalize(NormalizationForm.FormC).Split((char[])null, StringSplitOptions.RemoveEmptyEntries);
            return string.Join(" ", words);
        }

        /// <summary>Returns whether two application ids are the same.</summary>
        public static bool IsSameApp(string one, string other) => Key(one) != "" && Key(one) == Key(other);

        /// <summary>
        /// Returns the servers that a text matches best. More than one means that it is ambiguous, unless they are one cluster.
        /// </summary>
        public static List<T> BestMatches<T>(string text, IEnumerable<T> servers, Func<T, string> id, Func<T, string> name)
        {
            var byMatch = servers.ToLookup(server => Match(text, id(server), name(server)));
            var best = byMatch.Select(one => one.Key).DefaultIfEmpty(0).Max();
            return best > 0 ? byMatch[best].ToList() : new List<T>();
        }

        /// <summary>
        /// Returns the server with the fewest clients if all of them belong to one cluster; null if they are different ones.
        /// </summary>
        public static T LeastBusy<T>(List<T> servers, Func<T, string> cluster, Func<T, long?> clients) where T : class
        {
            var first = servers.Select(cluster).FirstOrDefault();
            var isOne = servers.Count == 1 || (first != null && servers.All(server => cluster(server) == first));
            return isOne ? servers.OrderBy(server => clients(server) ?? long.MaxValue).First() : null;
        }

        /// <summary>Returns whether a text is the id of a server.</summary>
        public static bool IsId(string text, string id) => Match(text, id, "") == MatchesId;

        /// <summary>Returns a text from the network for an error or a log.</summary>
        public static string Escape(string text, int limit = 300)
        {
            var escaped = new StringBuilder();
            foreach (var one in Characters(text))
            {
                if (escaped.Length > limit) return escaped.Append('…').ToString();
                var simple = one == '\n' ? "\\n" : one == '\r' ? "\\r" : one == '\t' ? "\\t" : "\\u{" + one.ToString("x") + "}";
                escaped.Append(IsHarmful(one) ? simple : char.ConvertFromUtf32(one));
            }
            return escaped.ToString();
        }

        /// <summary>Returns how well a text matches a server: 0 if it does not, and more if it matches better.</summary>
        private static int Match(string text, string id, string name)
        {
            if (string.Equals(text.Trim(), id, StringComparison.OrdinalIgnoreCase)) return MatchesId;
            var sought = Key(text);
            name = Key(name);
            if (sought == "") return 0;
            if (sought == name) return 3;
            if (Slug(sought) != "" && Slug(sought) == Slug(name)) return 2;
            var beginning = sought.EndsWith("…", StringComparison.Ordinal) ? sought.Substring(0, sought.Length - 1) : "";
            return beginning != "" && name.StartsWith(beginning, StringComparison.Ordinal) ? 1 : 0;
        }

        private static string Slug(string name)
        {
            var words = string.Concat(Characters(name).Select(one => IsPartOfWord(one) ? char.ConvertFromUtf32(one) : " "));
            return string.Join("-", words.Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries));
        }

        private static bool IsPartOfWord(int character)
        {
            // Letters and marks come first, and then numbers.
            return Category(character) <= UnicodeCategory.OtherNumber;
        }

        private static IEnumerable<int> Characters(string text)
        {
            for (var i = 0; i < text.Length; i++)
            {
                var isPair = char.IsSurrogatePair(text, i);
                yield return isPair ? char.ConvertToUtf32(text, i) : char.IsSurrogate(text[i]) ? 0xFFFD : text[i];
                if (isPair) i++;
            }
        }

        private static UnicodeCategory Category(int character) =>
            CharUnicodeInfo.GetUnicodeCategory(char.ConvertFromUtf32(character), 0);

        private static bool IsIn(int[,] ranges, int character)
        {
            for (var i = 0; i < ranges.GetLength(0); i++)
            {
                if (character >= ranges[i, 0] && character <= ranges[i, 1]) return true;
            }
            return false;
        }

        private static bool Contains(string characters, int? character) =>
            character is int one && one < 0x10000 && characters.IndexOf((char)one) >= 0;

        /// <summary>Returns whether a character could deceive when it is displayed, or command a terminal.</summary>
        private static bool IsHarmful(int character)
        {
            if (character >= ' ' && character <= '~') return false;
            var category = Category(character);
            var isControl = category == UnicodeCategory.Control || category == UnicodeCategory.Format;
            return isControl || IsIn(Ignorable, character) || IsIn(UnusualSpaces, character);
        }

        private static int UsualSpace(int character)
        {
            return Category(character) == UnicodeCategory.SpaceSeparator || character == 0x2800 ? ' ' : character;
        }

        private static bool IsJoiner(int character) =>
            character == Joiner || character == NonJoiner || character == TextStyle || character == EmojiStyle;

        private static bool IsEmoji(int? character) =>
            character is int one && (IsIn(Pictures, one) || Contains(OtherEmoji, one));

        /// <summary>
        /// Returns whether a joiner or a variation selector changes how its neighbours look, so that it hides nothing.
        /// </summary>
        private static bool IsJoining(int? before, int character, int? after)
        {
            if (before == null) return false;
            var isAfterVirama = Contains(Viramas, before) && after >= 0x900 && after <= 0xDFF;
            if (character == Joiner) return isAfterVirama || ((IsEmoji(before) || before == EmojiStyle) && IsEmoji(after));
            if (character == NonJoiner)
            {
                return isAfterVirama || (IsIn(Arabic, before.Value) && after is int next && IsIn(Arabic, next));
            }
            return IsEmoji(before) || (Contains("0123456789#*", before) && after == Keycap);
        }
    }
}
