using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace HallooClient
{
    /// <summary>
    /// What an X.509 certificate says (RFC 5280), without checking any of it: its key and the names of its server.
    /// </summary>
    internal sealed class Certificate
    {
        // A certificate of halloo lists each address of its machine.
        private const int MaxNames = 8, MaxNameLength = 64;

        private const byte Version = 0xA0, Extensions = 0xA3, DnsName = 0x82, IpAddress = 0x87;

        private static readonly byte[] CommonName = { 0x55, 0x04, 0x03 }, AlternativeNames = { 0x55, 0x1D, 0x11 };

        private readonly byte[] whole, key;

        public Certificate(byte[] bytes)
        {
            whole = Hash(bytes);
            key = Hash(new byte[0]);
            Names = new List<string>();
            try
            {
                var fields = Fields(bytes);
                key = Hash(fields[5].Raw);
                var names = ReadAlternativeNames(fields);
                Names = (names.Count > 0 ? names : ReadCommonNames(fields[4])).Take(MaxNames).ToList();
            }
            catch (Exception error) when (error is ArgumentException || error is FormatException)
            {
                // It cannot be parsed, so it has no names, or not even a key.
            }
        }

        /// <summary>The first subject alternative names, else the common name.</summary>
        public List<string> Names { get; }

        /// <summary>The names for an error.</summary>
        public string ShownNames =>
            Names.Count == 0
                ? "no name"
                : string.Join(", ", Names.Select(name => $"`{HallooClient.Names.Escape(name, MaxNameLength)}`"));

        /// <summary>The SHA-256 of the public key (SubjectPublicKeyInfo).</summary>
        public string Fingerprint => Hex(key);

        /// <summary>Returns whether it has a fingerprint, which is of the key or of the whole certificate.</summary>
        public bool Has(byte[] fingerprint) => fingerprint.SequenceEqual(key) || fingerprint.SequenceEqual(whole);

        public static string Hex(byte[] data) => string.Concat(data.Select(one => one.ToString("x2")));

        /// <summary>Returns the fields of TBSCertificate (section 4.1) without the version, which is optional.</summary>
        private static List<Element> Fields(byte[] certificate)
        {
            var fields = Elements(Elements(Elements(certificate)[0].Content)[0].Content);
            return fields[0].Tag == Version ? fields.Skip(1).ToList() : fields;
        }

        /// <summary>Returns the DNS names and IP addresses (section 4.2.1.6).</summary>
        private static List<string> ReadAlternativeNames(List<Element> fields)
        {
            var found = new List<string>();
            foreach (var field in fields.Where(one => one.Tag == Extensions))
            {
                foreach (var extension in Elements(Elements(field.Content)[0].Content))
                {
                    // The identifier, whether it is critical, and an octet string with the value.
                    var parts = Elements(extension.Content);
                    if (!parts[0].Content.SequenceEqual(AlternativeNames)) continue;
                    foreach (var name in Elements(Elements(parts[parts.Count - 1].Content)[0].Content))
                    {
                        if (name.Tag == DnsName) found.Add(Encoding.ASCII.GetString(name.Content));
                        if (name.Tag == IpAddress) found.Add(new IPAddress(name.Content).ToString());
                    }
                }
            }
            return found;
        }

        /// <summary>Returns the common names of the subject (section 4.1.2.6).</summary>
        private static List<string> ReadCommonNames(Element subject) =>
            Elements(subject.Content)
                .SelectMany(relative => Elements(relative.Content))
                .Select(attribute => Elements(attribute.Content))
                .Where(parts => parts[0].Content.SequenceEqual(CommonName))
                .Select(parts => Encoding.UTF8.GetString(parts[1].Content))
                .ToList();

        /// <summary>Returns the elements of DER that follow each other.</summary>
        private static List<Element> Elements(byte[] data)
        {
            var found = new List<Element>();
            for (var at = 0; at < data.Length;)
            {
                if (at + 2 > data.Length) throw new FormatException("the element is not complete");
                long length = data[at + 1];
                var start = at + 2;
                if (length >= 0x80)
                {
                    var digits = (int)length & 0x7F;
                    if (digits > 4 || start + digits > data.Length) throw new FormatException("the length is not valid");
                    for (length = 0; digits > 0; digits--) length = length << 8 | data[start++];
                }
                if (length > data.Length - start) throw new FormatException("the element is not complete");
                var end = start + (int)length;
                found.Add(new Element(data[at], Part(data, start, end), Part(data, at, end)));
                at = end;
            }
            return found;
        }

        private static byte[] Part(byte[] data, int start, int end)
        {
            var part = new byte[end - start];
            Buffer.BlockCopy(data, start, part, 0, part.Length);
            return part;
        }

        private static byte[] Hash(byte[] data)
        {
            using (var sha = SHA256.Create()) return sha.ComputeHash(data);
        }

        /// <summary>An element of DER: its tag, its content, and all of its bytes.</summary>
        private readonly struct Element
        {
            public Element(byte tag, byte[] content, byte[] raw)
            {
                Tag = tag;
                Content = content;
                Raw = raw;
            }

            public byte Tag { get; }

            public byte[] Content { get; }

            public byte[] Raw { get; }
        }
    }
}
