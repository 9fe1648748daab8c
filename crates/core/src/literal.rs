//! Literals of types that may grow.

/// A struct literal of a type that may get more fields, which Rust takes only inside the crate that has the type: the fields that are
/// named, and the others as in the base, or by default.
///
/// ```
/// use ibkr_connect_core::literal;
/// use ibkr_connect_core::types::{Contract, Position};
///
/// let held = literal!(Position { contract: Contract::stock("AAPL"), position: Some(100.0), ..Position::default() });
/// assert_eq!((held.position, held.average_cost), (Some(100.0), None));
/// ```
///
/// Made for tests, which write down what a Gateway answers, and for backends. What a program asks with has `with_` methods.
// Without a base all fields are meant. With `--cfg ibkr_all_fields` the compiler sees to that, see .ci/fields.
#[cfg(not(ibkr_all_fields))]
#[macro_export]
macro_rules! literal {
    ($Type:path { $($field:ident $(: $value:expr)?),* $(,)? }) => {
        $crate::literal!($Type { $($field $(: $value)?,)* ..::core::default::Default::default() })
    };
    ($Type:path { $($field:ident $(: $value:expr)?,)* ..$base:expr }) => {{
        let mut made = ::core::convert::identity::<$Type>($base);
        $( made.$field = $crate::literal!(@ $field $($value)?); )*
        made
    }};
    (@ $field:ident $value:expr) => { $value };
    (@ $field:ident) => { $field };
}

/// The literal itself.
#[cfg(ibkr_all_fields)]
#[macro_export]
macro_rules! literal {
    ($($literal:tt)*) => { $($literal)* };
}
