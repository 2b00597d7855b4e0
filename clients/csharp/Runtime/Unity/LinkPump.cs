#if UNITY_5_3_OR_NEWER
using System.Collections.Generic;
using UnityEngine;

namespace HallooClient
{
    /// <summary>Calls <see cref="Link.Poll"/> of all links in every frame, and closes them when the application ends.</summary>
    internal sealed class LinkPump : MonoBehaviour
    {
        private readonly List<Link> links = new List<Link>();

        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.BeforeSceneLoad)]
        private static void Begin()
        {
            LinkPump pump = null;
            Halloo.LinkCreated = link =>
            {
                if (pump == null)
                {
                    var owner = new GameObject("Halloo") { hideFlags = HideFlags.HideAndDontSave };
                    DontDestroyOnLoad(owner);
                    pump = owner.AddComponent<LinkPump>();
                }
                pump.links.Add(link);
            };
        }

        private void Update()
        {
            // A handler may create links.
            for (var i = links.Count - 1; i >= 0; i--)
            {
                var link = links[i];
                var isOver = link.State == LinkState.Closed;
                link.Poll();
                if (isOver) links.Remove(link);
            }
        }

        private void OnDestroy()
        {
            foreach (var link in links) link.Dispose();
        }
    }
}
#endif
