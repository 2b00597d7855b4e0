//! The addresses of a server as links.

use std::net::SocketAddr;

use super::Server;

impl Server {
    /// Returns the URL for programs: `ws://IP:PORT`, or `wss://` with TLS, with the address that others on the network
    /// most likely reach.
    pub fn url(&self) -> String {
        self.url_at(self.best_address())
    }

    /// Returns the URL of the page that this server serves to browsers. It contains no secret.
    ///
    /// ```
    /// let server = halloo::Server::start(halloo::Config::local())?;
    /// assert_eq!(server.page_url(), format!("http://127.0.0.1:{}/", server.port()));
    /// # Ok::<(), halloo::StartError>(())
    /// ```
    pub fn page_url(&self) -> String {
        format!("{}://{}/", self.shared.security.scheme(true), self.best_address())
    }

    fn best_address(&self) -> SocketAddr {
        self.addresses.best(self.local_ip(), self.port())
    }

    /// Returns the link to share, for example as a QR code: [`Server::page_url`] with the token and the certificate
    /// fingerprint, if there are any, in its fragment. It grants access, so keep it out of logs.
    ///
    /// ```
    /// let server = halloo::Server::start(halloo::Config::local())?;
    /// assert_eq!(server.invitation(), format!("http://127.0.0.1:{}/", server.port()));
    /// # Ok::<(), halloo::StartError>(())
    /// ```
    pub fn invitation(&self) -> String {
        self.page_url() + &self.shared.security.fragment(self.shared.security.requires_tls)
    }

    /// Returns the link to the page with TLS, if TLS is optional, by
    /// [`Config::tls_optional`](crate::Config::tls_optional): on a page without TLS, browsers provide neither the motion
    /// sensors nor the wake lock of a phone. A browser warns about a self-signed certificate once. It grants access, so keep
    /// it out of logs.
    pub fn secure_invitation(&self) -> Option<String> {
        let security = &self.shared.security;
        let is_optional = security.offers_tls && !security.requires_tls;
        is_optional.then(|| format!("https://{}/{}", self.best_address(), security.fragment(true)))
    }

    fn url_at(&self, addr: SocketAddr) -> String {
        format!("{}://{addr}", self.shared.security.scheme(false))
    }

    /// Returns every URL for programs: loopback first, then one for each network, the best first. With
    /// [`Config::bind`](crate::Config::bind), only those that reach the server; with
    /// [`Config::advertise`](crate::Config::advertise), that address instead of those of the networks. The networks are
    /// read at each call, because they change.
    ///
    /// ```
    /// let server = halloo::Server::start(halloo::Config::local())?;
    /// assert_eq!(server.urls(), [format!("ws://127.0.0.1:{}", server.port())]);
    /// # Ok::<(), halloo::StartError>(())
    /// ```
    pub fn urls(&self) -> Vec<String> {
        self.addresses.all(self.local_ip(), self.port()).into_iter().map(|addr| self.url_at(addr)).collect()
    }
}
