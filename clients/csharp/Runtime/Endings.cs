using System;

namespace HallooClient
{
    /// <summary>How an attempt or a connection ended.</summary>
    internal enum EndingKind
    {
        Closed,
        Refused,
        WrongServer,
        NoWebSocket,
        NotTrusted,
        NotPinned,
        Lost,
    }

    /// <summary>How certain it is that the peer was the server that is meant.</summary>
    internal struct Certainty
    {
        /// <summary>A person gave the address.</summary>
        public bool Given;

        /// <summary>In this attempt, a search found the server there.</summary>
        public bool Found;

        /// <summary>In the handshake, it proved to be the right one.</summary>
        public bool Proven;

        /// <summary>The connection lasted for 10 s.</summary>
        public bool Stable;

        /// <summary>There are other addresses to try.</summary>
        public bool Others;
    }

    /// <summary>An ending with its close code or status.</summary>
    internal readonly struct Ending
    {
        private readonly EndingKind kind;
        private readonly int number;

        public Ending(EndingKind kind, int number = 0)
        {
            this.kind = kind;
            this.number = number;
        }

        /// <summary>Returns whether another connection would be closed in the same way.</summary>
        public static bool IsFinalCode(int code) =>
            code == 1002 || code == 1003 || (code >= 1007 && code <= 1010) || code >= 3000;

        /// <summary>Returns whether another handshake would be refused in the same way.</summary>
        public static bool IsFinalStatus(int status) => status < 500 && status != 408 && status != 425 && status != 429;

        /// <summary>Returns whether the client ends.</summary>
        public bool IsFinal(Certainty known)
        {
            var isServer = known.Given || known.Found;
            switch (kind)
            {
                case EndingKind.Closed:
                    return (isServer || known.Proven || known.Stable) && IsFinalCode(number);
                case EndingKind.Refused:
                    var isAboutRequest = number == 401 || number == 403 || number == 404 || number == 426;
                    return (isAboutRequest ? isServer : known.Given) && IsFinalStatus(number);
                case EndingKind.NotTrusted:
                    return isServer;
                case EndingKind.Lost:
                    return false;
                default:
                    return known.Given && !known.Others;
            }
        }
    }

    /// <summary>The pauses between attempts. Times are in seconds of any clock.</summary>
    internal sealed class Backoff
    {
        private const double First = 0.1, Longest = 5, StableAfter = 10;

        private readonly int? maxAttempts;
        private readonly double? maxElapsed;
        private double since;
        private double? connected;
        private int failures;

        public Backoff(double now, int? maxAttempts = null, double? maxElapsed = null)
        {
            since = now;
            this.maxAttempts = maxAttempts;
            this.maxElapsed = maxElapsed;
        }

        public void HandleConnected(double now) => connected = now;

        /// <summary>Returns whether the connection has lasted long enough.</summary>
        public bool IsStable(double now) => now - connected >= StableAfter;

        /// <summary>
        /// Returns the pause before the next attempt, or null to give up. <paramref name="chance"/> is evenly drawn from 0 to
        /// 1.
        /// </summary>
        public double? HandleFailure(double now, double chance)
        {
            if (IsStable(now))
            {
                failures = 0;
                since = now;
            }
            connected = null;
            var longest = Math.Min(First * Math.Pow(2, Math.Min(failures, 16)), Longest);
            failures++;
            var pause = longest * chance;
            if (failures >= maxAttempts || now + pause - since >= maxElapsed) return null;
            return pause;
        }
    }
}
