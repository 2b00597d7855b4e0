using System;
using System.IO;
using System.Security.Cryptography;
using System.Text;

namespace HallooClient
{
    internal enum FrameKind
    {
        Message,
        Ping,
        Pong,
        Close,
    }

    /// <summary>What a frame says when it is complete.</summary>
    internal sealed class Frame
    {
        public FrameKind Kind;

        /// <summary>The message.</summary>
        public Message Message;

        /// <summary>What a ping or a pong contains.</summary>
        public byte[] Payload;

        /// <summary>The close code; 1005 if there is none.</summary>
        public int Code;

        /// <summary>The reason of the close.</summary>
        public string Reason;
    }

    /// <summary>A violation of the protocol, or a message above a limit: the connection is closed with this code.</summary>
    internal sealed class ProtocolException : Exception
    {
        public ProtocolException(int code, string reason) : base(reason) => Code = code;

        public int Code { get; }
    }

    /// <summary>
    /// Frames of RFC 6455 section 5. The WebSocket of .NET sends no pings and shows no pongs, so it does not notice a server
    /// that is gone.
    /// </summary>
    internal sealed class FrameReader
    {
        private static readonly Encoding StrictUtf8 = new UTF8Encoding(false, true);

        private readonly long maxMessageBytes;
        private readonly int maxFragments;
        private byte[] input = new byte[4096];
        private int start, end;
        private MemoryStream parts;
        private bool isText;
        private int fragments;

        public FrameReader(long maxMessageBytes, int maxFragments = 1024)
        {
            this.maxMessageBytes = maxMessageBytes;
            this.maxFragments = maxFragments;
        }

        /// <summary>Takes bytes that were received.</summary>
        public void Add(byte[] data, int offset, int count)
        {
            if (end + count > input.Length)
            {
                var needed = end - start + count;
                var larger = needed > input.Length ? new byte[Math.Max(2 * input.Length, needed)] : input;
                Buffer.BlockCopy(input, start, larger, 0, end - start);
                input = larger;
                end -= start;
                start = 0;
            }
            Buffer.BlockCopy(data, offset, input, end, count);
            end += count;
        }

        /// <summary>Returns what is complete, or null until there is more.</summary>
        public Frame Next()
        {
            while (true)
            {
                if (!TryReadHead(out var opcode, out var isFinal, out var head, out var size)) return null;
                if (end - start < head + size) return null;
                var payload = new byte[size];
                Buffer.BlockCopy(input, start + head, payload, 0, size);
                start += head + size;
                if (opcode >= 8) return Control(opcode, payload);
                if (opcode != 0)
                {
                    isText = opcode == 1;
                    fragments = 0;
                    parts = new MemoryStream();
                }
                fragments++;
                parts.Write(payload, 0, size);
                if (!isFinal) continue;
                var message = parts.ToArray();
                parts = null;
                if (isText) CheckUtf8(message, 0);
                return new Frame { Kind = FrameKind.Message, Message = new Message(isText, message) };
            }
        }

        /// <summary>Reads the head of a frame, and decides about it before anything is allocated.</summary>
        private bool TryReadHead(out int opcode, out bool isFinal, out int head, out int size)
        {
            opcode = size = 0;
            isFinal = false;
            head = 2;
            if (end - start < 2) return false;
            int first = input[start], second = input[start + 1];
            opcode = first & 0x0F;
            isFinal = (first & 0x80) != 0;
            if ((first & 0x70) != 0)
            {
                throw new ProtocolException(1002, "reserved bits are set that no extension gives a meaning here");
            }
            if ((opcode > 2 && opcode < 8) || opcode > 10) throw new ProtocolException(1002, "reserved opcode");
            if ((second & 0x80) != 0) throw new ProtocolException(1002, "a server must not mask its frames");
            if (opcode >= 8 && !isFinal) throw new ProtocolException(1002, "a control frame must not be fragmented");
            if (opcode >= 8 && (second & 0x7F) > 125)
            {
                throw new ProtocolException(1002, "a control frame holds at most 125 bytes");
            }
            if (opcode == 0 && parts == null) throw new ProtocolException(1002, "there is no message to continue");
            if ((opcode == 1 || opcode == 2) && parts != null)
            {
                throw new ProtocolException(1002, "a new message began inside a fragmented one");
            }
            if (opcode == 0 && fragments >= maxFragments)
            {
                throw new ProtocolException(1008, $"a message has at most {maxFragments} fragments");
            }
            var length = (ulong)(second & 0x7F);
            var more = length == 126 ? 2 : length == 127 ? 8 : 0;
            head += more;
            if (end - start < head) return false;
            if (more > 0) length = 0;
            for (var i = 0; i < more; i++) length = length << 8 | input[start + 2 + i];
            if (length >> 63 != 0) throw new ProtocolException(1002, "the length has its top bit set");
            if ((more == 2 && length < 126) || (more == 8 && length <= ushort.MaxValue))
            {
                throw new ProtocolException(1002, "the length is not in its shortest form");
            }
            if (opcode < 8 && (parts?.Length ?? 0) + (double)length > maxMessageBytes)
            {
                throw new ProtocolException(1009, $"the message is larger than the client's limit of {maxMessageBytes} bytes");
            }
            size = (int)length;
            return true;
        }

        private static Frame Control(int opcode, byte[] payload)
        {
            if (opcode != 8) return new Frame { Kind = opcode == 9 ? FrameKind.Ping : FrameKind.Pong, Payload = payload };
            if (payload.Length == 0) return new Frame { Kind = FrameKind.Close, Code = 1005, Reason = "" };
            if (payload.Length == 1) throw new ProtocolException(1002, "a close frame has no payload or at least a code");
            var code = payload[0] << 8 | payload[1];
            var isReserved = code < 1000 || code >= 5000 || (code >= 1004 && code <= 1006) || (code >= 1015 && code < 3000);
            if (isReserved) throw new ProtocolException(1002, "the close code may not be sent");
            return new Frame { Kind = FrameKind.Close, Code = code, Reason = CheckUtf8(payload, 2) };
        }

        private static string CheckUtf8(byte[] payload, int from)
        {
            try
            {
                return StrictUtf8.GetString(payload, from, payload.Length - from);
            }
            catch (ArgumentException)
            {
                throw new ProtocolException(1007, "the text is not UTF-8");
            }
        }
    }

    /// <summary>Writes frames as a client, which masks them.</summary>
    internal sealed class FrameWriter : IDisposable
    {
        public const int Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10;

        private readonly RandomNumberGenerator random = RandomNumberGenerator.Create();
        private readonly byte[] mask = new byte[4];

        public byte[] Write(int opcode, byte[] payload)
        {
            var size = payload.Length;
            var more = size < 126 ? 0 : size <= ushort.MaxValue ? 2 : 8;
            var frame = new byte[2 + more + 4 + size];
            frame[0] = (byte)(0x80 | opcode);
            frame[1] = (byte)(0x80 | (more == 0 ? size : more == 2 ? 126 : 127));
            for (var i = 0; i < more; i++) frame[2 + i] = (byte)((long)size >> (8 * (more - 1 - i)));
            random.GetBytes(mask);
            Buffer.BlockCopy(mask, 0, frame, 2 + more, 4);
            for (var i = 0; i < size; i++) frame[6 + more + i] = (byte)(payload[i] ^ mask[i & 3]);
            return frame;
        }

        public byte[] WriteClose(int code, string reason)
        {
            if (code == 1005) return Write(Close, new byte[0]);
            var text = Encoding.UTF8.GetBytes(reason);
            var payload = new byte[2 + Math.Min(text.Length, 123)];
            payload[0] = (byte)(code >> 8);
            payload[1] = (byte)code;
            Buffer.BlockCopy(text, 0, payload, 2, payload.Length - 2);
            return Write(Close, payload);
        }

        public void Dispose() => random.Dispose();
    }
}
