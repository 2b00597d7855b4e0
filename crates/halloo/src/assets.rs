//! The files that are part of the server, for pages.

/// The content of each route with `Resource::Asset`.
const ASSETS: &[(&str, &str)] =
    &[("/_halloo/client.js", include_str!("assets/client.js")), ("/_halloo/proof.js", include_str!("assets/proof.js"))];

/// Returns the content of the asset with this path.
pub(crate) fn find(path: &str) -> &'static [u8] {
    ASSETS.iter().find(|(name, _)| *name == path).map_or(&[], |(_, content)| content.as_bytes())
}

#[cfg(test)]
mod tests {
    use halloo_proto::routes::{ROUTES, Resource};

    use super::*;

    #[test]
    fn every_asset_has_a_route_and_a_content() {
        let routes: Vec<_> = ROUTES.iter().filter(|route| route.resource == Resource::Asset).collect();
        assert!(routes.iter().all(|route| !find(route.path).is_empty()));
        assert_eq!(routes.len(), ASSETS.len());
    }

    #[test]
    fn client_has_at_most_eight_kibibytes() {
        let size = find("/_halloo/client.js").len();
        assert!(size <= 8 << 10, "{size} bytes");
    }
}
