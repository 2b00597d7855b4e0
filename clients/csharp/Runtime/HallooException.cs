using System;

namespace HallooClient
{
    /// <summary>What went wrong.</summary>
    public enum HallooError
    {
        /// <summary>No server of this name answered.</summary>
        NotFound,

        /// <summary>Several servers have this name.</summary>
        Ambiguous,

        /// <summary>The server refused, with <see cref="HallooException.Status"/>; 401 for a missing or wrong token.</summary>
        Refused,

        /// <summary>Another certificate, or a server that does not know the token.</summary>
        WrongServer,

        /// <summary>No connection: refused, no answer, no such host.</summary>
        ConnectFailed,

        /// <summary>The connection was closed for good, with <see cref="HallooException.Code"/>.</summary>
        Closed,

        /// <summary>An invalid address, token, fingerprint or room.</summary>
        InvalidTarget,
    }

    /// <summary>An error whose message says what to do. Texts from the network are escaped in it.</summary>
    public sealed class HallooException : Exception
    {
        internal HallooException(HallooError error, string message, int status = 0, int code = 0) : base(message)
        {
            Error = error;
            Status = status;
            Code = code;
        }

        /// <summary>The kind of the error.</summary>
        public HallooError Error { get; }

        /// <summary>The status of a refusal; otherwise 0.</summary>
        public int Status { get; }

        /// <summary>The close code; otherwise 0.</summary>
        public int Code { get; }
    }
}
