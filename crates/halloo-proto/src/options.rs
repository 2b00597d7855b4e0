//! Structs of options that declare each default with its option.

/// Declares a struct of options with its `Default`. A plain comment above a field gives the reason for its default.
#[macro_export]
#[doc(hidden)]
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:expr])* $([cfg($cfg:meta)])? pub $field:ident: $type:ty = $default:expr,)*
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($(#[cfg($cfg)])? $field: $default,)* }
            }
        }
    };
}
