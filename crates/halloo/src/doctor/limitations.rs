//! What cannot be checked from one machine.

/// Returns what the other device, the router or a web browser decides, and what to do about it.
pub(super) fn limitations() -> Vec<String> {
    [
        "Wi-Fi: guest networks and client isolation block connections between devices; use another network.",
        "Browser: Chrome asks before a page may reach the local network; choose \"Allow\".",
        "Android 17: an app needs ACCESS_LOCAL_NETWORK, and a MulticastLock to hear beacons.",
        "iOS: an app needs NSLocalNetworkUsageDescription; to hear beacons also the multicast entitlement, which browsing \
         for _halloo._tcp by Bonjour does without (NSBonjourServices names it).",
    ]
    .map(String::from)
    .to_vec()
}
