using System;

namespace HallooClient
{
    /// <summary>An attempt to connect failed.</summary>
    internal sealed class AttemptFailedException : Exception
    {
        public AttemptFailedException(Ending ending, HallooError error, string message, int status = 0, string namedId = null)
            : base(message)
        {
            Ending = ending;
            Error = new HallooException(error, message, status);
            NamedId = namedId;
        }

        public Ending Ending { get; }

        public HallooException Error { get; }

        /// <summary>The id that the peer named in its challenge.</summary>
        public string NamedId { get; }
    }
}
