//! Servers of one cluster, among which a client may choose.

/// Returns the server with the fewest clients if all of them belong to one cluster, the first of several with as many; `None`
/// if there are none, or if they are different servers that have the same name. `of` returns the name of the cluster of a
/// server and its number of clients, if they are known. A server whose number of clients is not known is the last choice.
///
/// ```
/// use halloo_proto::cluster::least_busy;
///
/// let servers = [(Some("show"), Some(12)), (Some("show"), Some(9))];
/// assert_eq!(least_busy(&servers, |&server| server), Some(&servers[1]));
/// let servers = [(Some("show"), Some(12)), (None, Some(9))];
/// assert_eq!(least_busy(&servers, |&server| server), None);
/// ```
pub fn least_busy<T>(servers: &[T], of: impl Fn(&T) -> (Option<&str>, Option<u32>)) -> Option<&T> {
    let cluster = of(servers.first()?).0;
    let are_one = servers.len() == 1 || (cluster.is_some() && servers.iter().all(|server| of(server).0 == cluster));
    servers.iter().filter(|_| are_one).min_by_key(|server| of(server).1.unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Known = (Option<&'static str>, Option<u32>);

    fn chosen(servers: &[Known]) -> Option<usize> {
        let chosen = least_busy(servers, |&server| server)?;
        servers.iter().position(|server| std::ptr::eq(server, chosen))
    }

    #[test]
    fn only_servers_of_one_cluster_are_equivalent() {
        let (a, b): (Known, Known) = ((Some("a"), Some(3)), (Some("b"), Some(1)));
        assert_eq!((chosen(&[]), chosen(&[a]), chosen(&[(None, None)])), (None, Some(0), Some(0)));
        assert_eq!((chosen(&[a, b]), chosen(&[(None, Some(1)), (None, Some(2))])), (None, None));
        assert_eq!((chosen(&[a, (None, Some(0))]), chosen(&[(None, Some(0)), a])), (None, None));
    }

    #[test]
    fn the_first_with_the_fewest_clients_is_chosen() {
        let node = |clients| (Some("a"), clients);
        assert_eq!(chosen(&[node(Some(2)), node(Some(0)), node(Some(0))]), Some(1));
        assert_eq!(chosen(&[node(None), node(Some(9))]), Some(1), "an unknown number is the last choice");
        assert_eq!(chosen(&[node(None), node(None)]), Some(0));
    }
}
