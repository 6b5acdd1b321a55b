//! What is said of a value or a key that does not fit.

use toml_edit::Item;

/// The kind of a value, without the value.
pub(super) fn describe(item: &Item) -> String {
    match item.type_name() {
        kind @ ("integer" | "array" | "inline table" | "array of tables") => format!("an {kind}"),
        kind => format!("a {kind}"),
    }
}

/// The value itself where it is a short scalar; only for keys that cannot hold a secret.
pub(super) fn show(item: &Item) -> String {
    match item.as_value() {
        Some(value) if !value.is_array() && !value.is_inline_table() => {
            let text = value.to_string();
            let text = text.trim();
            if text.chars().count() <= 40 {
                text.to_owned()
            } else {
                describe(item)
            }
        }
        _ => describe(item),
    }
}

/// One letter more, less or other, or only separators and case differ.
pub(crate) fn is_similar(known: &str, typed: &str) -> bool {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let (known, typed) = (plain(known), plain(typed));
    if known == typed {
        return true;
    }
    let common_start = known
        .bytes()
        .zip(typed.bytes())
        .take_while(|(known, typed)| known == typed)
        .count();
    let (known, typed) = (
        &known.as_bytes()[common_start..],
        &typed.as_bytes()[common_start..],
    );
    match known.len().abs_diff(typed.len()) {
        0 => known.get(1..) == typed.get(1..),
        1 if known.len() > typed.len() => known.get(1..) == Some(typed),
        1 => typed.get(1..) == Some(known),
        _ => false,
    }
}
