//! The files that are part of the server, for pages.

use std::sync::LazyLock;

/// The content of each route with `Resource::Asset`.
const ASSETS: &[(&str, &str)] = &[
    ("/_halloo/client.js", include_str!("assets/client.js")),
    ("/_halloo/page.js", include_str!("assets/page.js")),
    ("/_halloo/access.js", include_str!("assets/access.js")),
];

/// The assets as they are served.
static SERVED: LazyLock<Vec<(&str, String)>> =
    LazyLock::new(|| ASSETS.iter().map(|&(path, content)| (path, to_served(path, content))).collect());

/// Returns the content of the asset with this path.
pub(crate) fn find(path: &str) -> &'static [u8] {
    SERVED.iter().find(|(name, _)| *name == path).map_or(&[], |(_, content)| content.as_bytes())
}

/// Removes the indentation and the lines of comments from a script, which are a quarter of it.
fn to_served(path: &str, content: &str) -> String {
    if !path.ends_with(".js") {
        return content.to_owned();
    }
    let lines = content.lines().map(str::trim);
    let lines = lines.filter(|line| !(line.is_empty() || line.starts_with("//") || line.starts_with("/**")));
    lines.flat_map(|line| [line, "\n"]).collect()
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

    #[test]
    fn scripts_are_written_so_that_removing_lines_changes_nothing() {
        for (path, content) in ASSETS.iter().filter(|(path, _)| path.ends_with(".js")) {
            for line in content.lines() {
                assert!(line.matches('`').count() % 2 == 0, "{path}: a template of several lines: {line}");
                assert!(!line.contains("/*") || line.trim_end().ends_with("*/"), "{path}: {line}");
                assert!(line.len() <= 130, "{path}: {line}");
            }
        }
    }
}
