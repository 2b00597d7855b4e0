using System.Text;

namespace HallooClient
{
    /// <summary>A text or binary message.</summary>
    public sealed class Message
    {
        internal Message(bool isText, byte[] payload)
        {
            IsText = isText;
            Payload = payload;
        }

        internal Message(string text) : this(true, Encoding.UTF8.GetBytes(text))
        {
        }

        /// <summary>Whether it is text.</summary>
        public bool IsText { get; }

        /// <summary>The text; null for a binary message.</summary>
        public string Text => IsText ? Encoding.UTF8.GetString(Payload) : null;

        /// <summary>The bytes; null for a text.</summary>
        public byte[] Binary => IsText ? null : Payload;

        internal byte[] Payload { get; }
    }
}
