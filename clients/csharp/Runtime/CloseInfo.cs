namespace HallooClient
{
    /// <summary>How a connection ended, or how it is to be closed.</summary>
    internal readonly struct CloseInfo
    {
        public CloseInfo(int code, string reason)
        {
            Code = code;
            Reason = reason;
        }

        public int Code { get; }

        public string Reason { get; }
    }
}
