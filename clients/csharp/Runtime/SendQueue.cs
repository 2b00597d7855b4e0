using System.Collections.Generic;

namespace HallooClient
{
    /// <summary>Messages, bounded in number and in bytes. An empty queue accepts a message of any size.</summary>
    internal sealed class SendQueue
    {
        private readonly Queue<Message> messages = new Queue<Message>();
        private readonly int maxMessages;
        private readonly long maxBytes;
        private long bytes;

        public SendQueue(int maxMessages, long maxBytes)
        {
            this.maxMessages = maxMessages;
            this.maxBytes = maxBytes;
        }

        public int Count => messages.Count;

        /// <summary>Appends a message, and returns whether there was room for it.</summary>
        public bool Push(Message message)
        {
            var isFull = messages.Count >= maxMessages || bytes + message.Payload.Length > maxBytes;
            if (messages.Count > 0 && isFull) return false;
            messages.Enqueue(message);
            bytes += message.Payload.Length;
            return true;
        }

        /// <summary>Removes and returns the oldest message, or null.</summary>
        public Message Pop()
        {
            if (messages.Count == 0) return null;
            var message = messages.Dequeue();
            bytes -= message.Payload.Length;
            return message;
        }
    }
}
