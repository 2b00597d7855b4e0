// What the client reads from certificates that are damaged: it never fails with an exception, and never takes long.

using System;
using System.Linq;
using System.Security.Cryptography.X509Certificates;

namespace HallooClient
{
    internal static class CertificateTests
    {
        private static void Main(string[] arguments)
        {
            var whole = new X509Certificate2(arguments[0]).RawData;
            var certificate = new Certificate(whole);
            Console.WriteLine($"whole: {certificate.ShownNames}");
            for (var length = 0; length < whole.Length; length++) Read(whole.Take(length).ToArray());
            Console.WriteLine($"truncated: {whole.Length}");
            var changed = 0;
            for (var at = 0; at < whole.Length; at++)
            {
                foreach (var value in new byte[] { 0x00, 0x01, 0x30, 0x7F, 0x80, 0x81, 0x84, 0x85, 0xA0, 0xA3, 0xFF })
                {
                    var damaged = (byte[])whole.Clone();
                    damaged[at] = value;
                    Read(damaged);
                    changed++;
                }
            }
            Console.WriteLine($"changed: {changed}");
            var random = new Random(1);
            for (var run = 0; run < 20000; run++)
            {
                var damaged = (byte[])whole.Clone();
                for (var number = random.Next(1, 8); number > 0; number--)
                {
                    damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
                }
                Read(damaged);
            }
            Console.WriteLine("random: 20000");
            // As many elements as fit, each of which is empty.
            Read(Nested(Nested(new byte[1 << 18])));
            Console.WriteLine("many elements: 1");
        }

        private static void Read(byte[] bytes)
        {
            var certificate = new Certificate(bytes);
            if (certificate.Names.Count > 8 || certificate.Fingerprint.Length != 64 || certificate.ShownNames.Length > 1000)
            {
                throw new Exception($"{Convert.ToBase64String(bytes)}: {certificate.ShownNames}");
            }
        }

        private static byte[] Nested(byte[] content)
        {
            var length = new[] { 24, 16, 8, 0 }.Select(shift => (byte)(content.Length >> shift));
            return new byte[] { 0x30, 0x84 }.Concat(length).Concat(content).ToArray();
        }
    }
}
