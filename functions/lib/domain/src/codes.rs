//! Enums with stable codes, which responses, reports, stored items and text keys share.

#[doc(hidden)]
pub use serde;

/// Whether all codes are different.
#[doc(hidden)]
pub const fn are_distinct(codes: &[&str]) -> bool {
    let mut at = 0;
    while at < codes.len() {
        let mut other = at + 1;
        while other < codes.len() {
            if are_equal(codes[at].as_bytes(), codes[other].as_bytes()) {
                return false;
            }
            other += 1;
        }
        at += 1;
    }
    true
}

/// Compares byte by byte, since `==` on slices is not `const`.
const fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// Declares an enum with stable codes. Generates `ALL`, `code`, `from_code`, and serde
/// implementations that use the codes. Duplicate codes are a compile error. If a column is
/// declared, each variant has a constant after its code, and a method with the column's name
/// returns the constant.
///
/// ```
/// bukti_domain::codes! {
///     /// A side of a card.
///     Side, /// The page that it is on.
///     page: u8 {
///         /// The front.
///         Front = "front" => 1,
///         /// The back.
///         Back = "back" => 2,
///     }
/// }
/// assert_eq!((Side::Back.code(), Side::Back.page()), ("back", 2));
/// assert_eq!((Side::from_code("front"), Side::from_code("edge")), (Some(Side::Front), None));
/// ```
#[macro_export]
macro_rules! codes {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal),* $(,)? }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant),* }

        const _: () = assert!($crate::codes::are_distinct(&[$($code),*]), "two values have the same code");

        impl $name {
            /// All values, in the order of declaration.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// The stable code of this value.
            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $code),* }
            }

            /// Finds the value with a code. Returns `None` if the code is unknown.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.code() == code)
            }
        }

        impl $crate::codes::serde::Serialize for $name {
            fn serialize<S: $crate::codes::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.code())
            }
        }

        impl<'de> $crate::codes::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::codes::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let code = <std::borrow::Cow<'de, str> as $crate::codes::serde::Deserialize>::deserialize(from)?;
                let unknown = || <D::Error as $crate::codes::serde::de::Error>::custom("unknown code");
                Self::from_code(&code).ok_or_else(unknown)
            }
        }
    };
    ($(#[$outer:meta])* $name:ident, $(#[$about:meta])* $column:ident: $type:ty {
        $($(#[$doc:meta])* $variant:ident = $code:literal => $value:expr),* $(,)?
    }) => {
        $crate::codes! { $(#[$outer])* $name { $($(#[$doc])* $variant = $code),* } }

        impl $name {
            $(#[$about])*
            pub fn $column(self) -> $type {
                match self { $($name::$variant => $value),* }
            }
        }
    };
}
