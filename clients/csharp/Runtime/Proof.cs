using System;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace HallooClient
{
    /// <summary>One exchange of proofs that both sides know the token, as the client begins it.</summary>
    internal sealed class Exchange
    {
        private readonly string token, id, challenge, nonce;

        private Exchange(string token, string id, string challenge, string nonce)
        {
            this.token = token;
            this.id = id;
            this.challenge = challenge;
            this.nonce = nonce;
        }

        /// <summary>Returns an exchange with 16 random bytes, or null if it is no valid challenge.</summary>
        public static Exchange Begin(string token, string id, string challenge, byte[] nonce)
        {
            return IsChallenge(id, challenge) ? new Exchange(token, id, challenge, Encode(nonce)) : null;
        }

        public static bool IsChallenge(string id, string challenge) =>
            Regex.IsMatch(id, @"\A[A-Za-z0-9_-]{1,32}\z") && Regex.IsMatch(challenge, @"\A[A-Za-z0-9_-]{1,64}\z");

        public string ClientProof => Prove("client");

        public string ServerProof => Prove("server");

        /// <summary>The value of <c>Authorization</c>.</summary>
        public string Authorization => $"Halloo challenge=\"{challenge}\", nonce=\"{nonce}\", proof=\"{ClientProof}\"";

        /// <summary>Returns whether this is the proof of the server, in the same time for every text.</summary>
        public bool IsServerProof(string given)
        {
            var expected = ServerProof;
            if (given.Length != expected.Length) return false;
            return expected.Zip(given, (one, other) => one ^ other).Aggregate(0, (all, difference) => all | difference) == 0;
        }

        /// <summary>Returns bytes in base64url without padding.</summary>
        public static string Encode(byte[] data) =>
            Convert.ToBase64String(data).TrimEnd('=').Replace('+', '-').Replace('/', '_');

        private string Prove(string side)
        {
            using (var hmac = new HMACSHA256(Encoding.ASCII.GetBytes(token)))
            {
                return Encode(hmac.ComputeHash(Encoding.ASCII.GetBytes($"halloo {side}\n{id}\n{challenge}\n{nonce}")));
            }
        }
    }
}
