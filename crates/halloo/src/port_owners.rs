//! The programs that use a port, on systems that show them.

use std::fmt;

use serde::Serialize;

/// How many programs a sentence names.
const MAX_NAMED: usize = 4;

/// A program that uses a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PortOwner {
    /// Its process ID.
    pub pid: u32,
    /// Its name, escaped.
    pub program: String,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.program, self.pid)
    }
}

/// Returns ` by python3 (pid 12)` for the end of a sentence; empty if there are no owners.
pub(crate) fn by(owners: &[PortOwner]) -> String {
    let mut list: Vec<String> = owners.iter().take(MAX_NAMED).map(PortOwner::to_string).collect();
    if owners.len() > MAX_NAMED {
        list.push("others".to_owned());
    }
    if list.is_empty() { String::new() } else { format!(" by {}", list.join(", ")) }
}

/// Returns the programs that use `port` of `protocol`, which is `TCP` or `UDP`, as far as this user may see them. Leaves
/// out this program itself.
pub(crate) fn find(protocol: &str, port: u16) -> Vec<PortOwner> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return linux::find(protocol, port);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (protocol, port);
        Vec::new()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs;

    use super::PortOwner;

    /// `TCP_LISTEN`, as proc(5) writes it.
    const LISTENING: &str = "0A";

    pub(super) fn find(protocol: &str, port: u16) -> Vec<PortOwner> {
        let family = protocol.to_lowercase();
        let tables = [format!("/proc/net/{family}"), format!("/proc/net/{family}6")];
        let read = |path: &String| fs::read_to_string(path).unwrap_or_default();
        let sockets: Vec<String> =
            tables.iter().flat_map(|table| sockets(&read(table), port, protocol == "TCP")).collect();
        if sockets.is_empty() { Vec::new() } else { programs(&sockets) }
    }

    /// Returns the sockets on `port` in a table of proc(5), in the form of the links in `/proc/PID/fd`.
    fn sockets(table: &str, port: u16, listening: bool) -> Vec<String> {
        let of_line = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, local) = fields.get(1)?.rsplit_once(':')?;
            let state = *fields.get(3)?;
            let matches = u16::from_str_radix(local, 16) == Ok(port) && (!listening || state == LISTENING);
            matches.then(|| Some(format!("socket:[{}]", fields.get(9)?)))?
        };
        table.lines().skip(1).filter_map(of_line).collect()
    }

    fn programs(sockets: &[String]) -> Vec<PortOwner> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_process = |entry: fs::DirEntry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            // Only root can read those of other users.
            let mut open = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
            open.find(|fd| {
                fs::read_link(fd.path()).is_ok_and(|link| sockets.iter().any(|socket| link.as_os_str() == &**socket))
            })?;
            let program = fs::read_to_string(entry.path().join("comm")).ok()?;
            Some(PortOwner { pid, program: halloo_proto::text::escape(program.trim(), 64) })
        };
        let mut owners: Vec<PortOwner> =
            processes.filter_map(of_process).filter(|owner| owner.pid != std::process::id()).collect();
        owners.sort_by_key(|owner| owner.pid);
        owners
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn sockets_of_a_port_are_found() {
            let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                   0: 00000000:223D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1\n\
                   1: 0100007F:223D 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 12346 1\n\
                   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12347 1\n\
                 garbage";
            assert_eq!(sockets(table, 8765, true), ["socket:[12345]"]);
            assert_eq!(sockets(table, 8765, false), ["socket:[12345]", "socket:[12346]"]);
        }

        #[test]
        fn the_owner_of_a_port_is_found() {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let table = fs::read_to_string("/proc/net/tcp").unwrap();
            let sockets = sockets(&table, port, true);
            let own = fs::read_dir("/proc/self/fd").unwrap().flatten();
            let links: Vec<_> = own.filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
            assert!(links.iter().any(|link| link.as_os_str() == &*sockets[0]), "{sockets:?} in {links:?}");
        }
    }
}
