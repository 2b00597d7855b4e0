//! Which programs hold a port, where the system lets anybody see that.

use super::facts::Holder;

/// The programs that hold `port` of `protocol`, as far as this user may see them.
pub(super) fn of(protocol: &str, port: u16) -> Vec<Holder> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return linux::of(protocol, port);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (protocol, port);
        Vec::new()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs;

    use super::Holder;

    /// `TCP_LISTEN`, as proc(5) writes it.
    const LISTENING: &str = "0A";

    pub(super) fn of(protocol: &str, port: u16) -> Vec<Holder> {
        let family = protocol.to_lowercase();
        let tables = [format!("/proc/net/{family}"), format!("/proc/net/{family}6")];
        let read = |path: &String| fs::read_to_string(path).unwrap_or_default();
        let sockets: Vec<String> =
            tables.iter().flat_map(|table| sockets(&read(table), port, protocol == "TCP")).collect();
        if sockets.is_empty() { Vec::new() } else { programs(&sockets) }
    }

    /// The sockets on `port` in a table of proc(5), as they stand behind `/proc/PID/fd`.
    fn sockets(table: &str, port: u16, listening: bool) -> Vec<String> {
        let of_line = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, local) = fields.get(1)?.rsplit_once(':')?;
            let state = *fields.get(3)?;
            let right = u16::from_str_radix(local, 16) == Ok(port) && (!listening || state == LISTENING);
            right.then(|| Some(format!("socket:[{}]", fields.get(9)?)))?
        };
        table.lines().skip(1).filter_map(of_line).collect()
    }

    fn programs(sockets: &[String]) -> Vec<Holder> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_process = |entry: fs::DirEntry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            // Those of others can only be read by root.
            let mut open = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
            open.find(|fd| {
                fs::read_link(fd.path()).is_ok_and(|link| sockets.iter().any(|socket| link.as_os_str() == &**socket))
            })?;
            let program = fs::read_to_string(entry.path().join("comm")).ok()?;
            Some(Holder { pid, program: halloo_proto::text::escape(program.trim(), 64) })
        };
        let mut holders: Vec<Holder> =
            processes.filter_map(of_process).filter(|holder| holder.pid != std::process::id()).collect();
        holders.sort_by_key(|holder| holder.pid);
        holders
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn finds_the_sockets_of_a_port() {
            let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                   0: 00000000:223D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1\n\
                   1: 0100007F:223D 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 12346 1\n\
                   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12347 1\n\
                 garbage";
            assert_eq!(sockets(table, 8765, true), ["socket:[12345]"]);
            assert_eq!(sockets(table, 8765, false), ["socket:[12345]", "socket:[12346]"]);
        }

        #[test]
        fn knows_who_holds_a_port() {
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
