//! What a Rust file says about modules: what it imports and which paths it names, except in its tests.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The text of a module: a file, or `mod name { }` in it.
#[derive(Debug, Default)]
pub(super) struct Syntax {
    pub(super) uses: Vec<Use>,
    /// Paths of at least two names outside of `use`.
    pub(super) paths: Vec<Vec<String>>,
    /// Every name outside of `use`.
    pub(super) names: BTreeSet<String>,
    pub(super) inline: Vec<(String, Syntax)>,
}

/// One name that a `use` brings in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) path: Vec<String>,
    /// What it is called here; `*` for everything in `path`.
    pub(super) name: String,
    pub(super) exported: bool,
}

impl Syntax {
    pub(super) fn parse(text: &str) -> Result<Syntax> {
        let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
        let mut syntax = Syntax::default();
        syntax.read(tokens);
        Ok(syntax)
    }

    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at += match &tokens[at..] {
                [sign, TokenTree::Group(attribute), item @ ..] if is(sign, '#') && is_for_tests(attribute.stream()) => {
                    2 + length_of_item(item)
                }
                [TokenTree::Ident(word), tree @ ..]
                    if *word == "use" && !tree.first().is_some_and(|next| is(next, '<')) =>
                {
                    let length = tree.iter().position(|token| is(token, ';')).unwrap_or(tree.len());
                    let exported = tokens[..at].iter().rev().take(2).any(|token| token.to_string() == "pub");
                    self.read_use(&tree[..length], &[], exported);
                    1 + length
                }
                [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), ..] if *word == "mod" => {
                    let mut inline = Syntax::default();
                    inline.read(body.stream());
                    self.inline.push((name.to_string(), inline));
                    3
                }
                // `mod name;` makes no use of what is in the module.
                [TokenTree::Ident(word), TokenTree::Ident(_), end, ..] if *word == "mod" && is(end, ';') => 3,
                [TokenTree::Group(group), ..] => {
                    self.read(group.stream());
                    1
                }
                rest => self.read_path(rest),
            };
        }
    }

    /// Reads a path at the start of `tokens` and returns how many tokens it has; one when there is none.
    fn read_path(&mut self, tokens: &[TokenTree]) -> usize {
        let (path, length) = path(tokens);
        self.names.extend(path.iter().cloned());
        if path.len() > 1 {
            self.paths.push(path);
        }
        length.max(1)
    }

    /// Reads `a::{b, c::*, d as e}`.
    fn read_use(&mut self, tree: &[TokenTree], prefix: &[String], exported: bool) {
        let (own, length) = path(tree);
        let path = [prefix, &own].concat();
        let rest: Vec<&TokenTree> = tree[length..].iter().filter(|token| !is(token, ':')).collect();
        match rest[..] {
            [TokenTree::Group(group)] => {
                let branches: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in branches.split(|token| is(token, ',')).filter(|branch| !branch.is_empty()) {
                    self.read_use(branch, &path, exported);
                }
            }
            [TokenTree::Ident(_), TokenTree::Ident(alias)] => {
                self.uses.push(Use { path, name: alias.to_string(), exported });
            }
            [star] if is(star, '*') => self.uses.push(Use { path, name: "*".into(), exported }),
            // `use a::{self}` brings in `a`.
            _ if own == ["self"] && !prefix.is_empty() => {
                let name = prefix[prefix.len() - 1].clone();
                self.uses.push(Use { path: prefix.to_vec(), name, exported });
            }
            _ => {
                let name = path.last().cloned().unwrap_or_default();
                self.uses.push(Use { path, name, exported });
            }
        }
    }
}

/// Returns the names of `a::b::c` at the start of `tokens`, and how many tokens they take.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let (mut names, mut at) = (Vec::new(), 0);
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        // `as` follows the path in `use a::b as c`.
        if *name == "as" {
            break;
        }
        names.push(name.to_string());
        at += 1;
        match &tokens[at..] {
            [one, two, TokenTree::Ident(_), ..] if is(one, ':') && is(two, ':') => at += 2,
            _ => break,
        }
    }
    (names, at)
}

/// Returns whether the attribute is `#[test]`, or a `#[cfg(…)]` that holds in tests only.
fn is_for_tests(attribute: TokenStream) -> bool {
    let text = attribute.to_string();
    let mut words = text.split(|c: char| c != '_' && !c.is_alphanumeric());
    (text == "test" || text.starts_with("cfg")) && words.any(|word| word == "test") && !text.contains("not")
}

/// Returns how many tokens an item has: up to its semicolon, or to the end of its braces.
fn length_of_item(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is(token, ';') || is(token, ','),
    };
    tokens.iter().position(ends).map_or(tokens.len(), |last| last + 1)
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(text: &str) -> Vec<String> {
        let show =
            |one: &Use| format!("{}{} = {}", if one.exported { "pub " } else { "" }, one.name, one.path.join("::"));
        Syntax::parse(text).unwrap().uses.iter().map(show).collect()
    }

    #[test]
    fn a_tree_of_uses_is_flattened() {
        let text =
            "use crate::load::{self, Usage, idle::*, wire::{self as w, PING}};\npub(crate) use links::cut;\npub use a;";
        assert_eq!(
            uses(text),
            [
                "load = crate::load",
                "Usage = crate::load::Usage",
                "* = crate::load::idle",
                "w = crate::load::wire::self",
                "PING = crate::load::wire::PING",
                "pub cut = links::cut",
                "pub a = a"
            ]
        );
    }

    #[test]
    fn paths_are_found_at_any_depth_and_in_macros() {
        let syntax = Syntax::parse("fn f() -> a::B { g(|x| vec![c::d::<E>(1), x.y]) }").unwrap();
        assert_eq!(syntax.paths, [vec!["a", "B"], vec!["c", "d"]]);
        assert!(syntax.names.contains("E") && !syntax.names.contains("z"));
    }

    #[test]
    fn tests_comments_and_text_do_not_count() {
        let text = "//! a::b\n#[cfg(test)]\nuse c::D;\nconst T: &str = \"e::f\";\n#[cfg(test)]\nmod tests { use super::*; }\n\
                    #[cfg(all(test, unix))]\nfn g() { h::i() }\n#[cfg(not(test))]\nuse j::K;";
        let syntax = Syntax::parse(text).unwrap();
        assert_eq!(syntax.uses.len(), 1);
        assert!(syntax.paths.is_empty() && syntax.inline.is_empty(), "{syntax:?}");
    }

    #[test]
    fn the_declaration_of_a_module_names_nothing() {
        let syntax = Syntax::parse("mod connect;\npub(crate) use connect::connect;\nstruct Target;").unwrap();
        assert!(!syntax.names.contains("connect") && syntax.names.contains("Target"));
    }

    #[test]
    fn an_inline_module_is_one_of_its_own() {
        let syntax = Syntax::parse("mod unix { use super::Stream; }\nuse a::B;").unwrap();
        assert_eq!(syntax.inline[0].1.uses[0].path, ["super", "Stream"]);
        assert_eq!(syntax.uses.len(), 1);
    }
}
