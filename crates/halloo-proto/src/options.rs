//! Structs of options that declare each default with its option, and have a setter for each.

/// Declares a struct of options with its `Default` and its setters. A plain comment above a field gives the reason for its
/// default.
#[macro_export]
#[doc(hidden)]
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:expr])* $([cfg($cfg:meta)])? pub $field:ident $(($into:ident))?: $type:ty = $default:expr,)*
        }
    ) => {
        $crate::setters! {
            $(#[$meta])*
            pub struct $name {
                $($(#[doc = $doc])* $([cfg($cfg)])? pub $field $(($into))?: $type,)*
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($(#[cfg($cfg)])? $field: $default,)* }
            }
        }
    };
}

/// Declares a struct with a setter for each field, because one that is `non_exhaustive` cannot be written as a literal. A
/// setter takes the type of the field, or with `(into)` what converts into it, such as `&str` for a `String`.
#[macro_export]
#[doc(hidden)]
macro_rules! setters {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:expr])* $([cfg($cfg:meta)])? pub $field:ident $(($into:ident))?: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? pub $field: $type,)*
        }

        impl $name {
            $(
                /// Sets
                #[doc = concat!("[`", stringify!($field), "`](#structfield.", stringify!($field), ").")]
                #[must_use]
                $(#[cfg($cfg)])?
                pub fn $field(mut self, $field: $crate::setters!(@argument $($into)? $type)) -> Self {
                    self.$field = $field.into();
                    self
                }
            )*
        }
    };
    (@argument into $type:ty) => { impl Into<$type> };
    (@argument $type:ty) => { $type };
}
