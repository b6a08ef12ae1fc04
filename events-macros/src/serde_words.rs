//! What serde's attributes say about the payload, as far as this crate needs to know it. What it does not understand it calls unclear;
//! serde itself tells the user what is wrong with them.

use syn::{Attribute, Expr, ExprLit, Ident, Lit, Token, ext::IdentExt, meta::ParseNestedMeta, parse::ParseStream, token};

/// What stands on the struct.
#[derive(Default)]
pub(crate) struct Container {
    rename_all: Option<Rule>,
    /// What is missing takes its default.
    pub(crate) default: bool,
    /// Unknown fields are refused.
    pub(crate) strict: bool,
    /// The word that makes the payload something else than these fields.
    pub(crate) unclear: Option<String>,
}

/// What stands on a field.
#[derive(Default)]
pub(crate) struct Words {
    rename: Option<String>,
    pub(crate) default: bool,
    pub(crate) flatten: bool,
    /// It is not written.
    pub(crate) unwritten: bool,
    /// It is not read.
    pub(crate) unread: bool,
    /// The module or function that writes it in its own way.
    pub(crate) with: Option<String>,
    /// The word that leaves its name open.
    pub(crate) unclear: Option<String>,
}

/// How serde writes the names of all fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    AsIs,
    Upper,
    Pascal,
    Camel,
    Kebab,
    UpperKebab,
}

impl Container {
    pub(crate) fn read(attributes: &[Attribute]) -> Self {
        let mut container = Self::default();
        for attribute in attributes {
            let mut unclear = None;
            each_word(attribute, &mut unclear, |word, meta| {
                match word {
                    "rename_all" => match renamed(meta)?.map(|rule| Rule::named(&rule)) {
                        Some(Some(rule)) => container.rename_all = Some(rule),
                        Some(None) => container.unclear = Some(word.to_owned()),
                        None => {}
                    },
                    "default" => {
                        container.default = true;
                        skip(meta)?;
                    }
                    "deny_unknown_fields" => container.strict = true,
                    "transparent" | "into" | "from" | "try_from" | "remote" | "untagged" => {
                        container.unclear = Some(word.to_owned());
                        skip(meta)?;
                    }
                    _ => skip(meta)?,
                }
                Ok(())
            });
            container.unclear = container.unclear.or(unclear);
        }
        container
    }

    /// The name of a field in the payload.
    pub(crate) fn name(&self, ident: &Ident, words: &Words) -> String {
        let ident = ident.unraw().to_string();
        words.rename.clone().unwrap_or_else(|| self.rename_all.map_or(ident.clone(), |rule| rule.apply(&ident)))
    }
}

impl Words {
    pub(crate) fn read(attributes: &[Attribute]) -> Self {
        let mut words = Self::default();
        for attribute in attributes {
            let mut unclear = None;
            each_word(attribute, &mut unclear, |word, meta| {
                match word {
                    "rename" => words.rename = renamed(meta)?.or(words.rename.take()),
                    "default" => {
                        words.default = true;
                        skip(meta)?;
                    }
                    "flatten" => words.flatten = true,
                    "skip" => (words.unwritten, words.unread) = (true, true),
                    "skip_serializing" => words.unwritten = true,
                    "skip_deserializing" => words.unread = true,
                    "with" | "serialize_with" | "deserialize_with" => words.with = text(meta)?,
                    _ => skip(meta)?,
                }
                Ok(())
            });
            words.unclear = words.unclear.or(unclear);
        }
        words
    }
}

impl Rule {
    /// Those of serde's that change the name of a field; the others leave it as it is.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "lowercase" | "snake_case" => Self::AsIs,
            "UPPERCASE" | "SCREAMING_SNAKE_CASE" => Self::Upper,
            "PascalCase" => Self::Pascal,
            "camelCase" => Self::Camel,
            "kebab-case" => Self::Kebab,
            "SCREAMING-KEBAB-CASE" => Self::UpperKebab,
            _ => return None,
        })
    }

    fn apply(self, field: &str) -> String {
        match self {
            Self::AsIs => field.to_owned(),
            Self::Upper => field.to_ascii_uppercase(),
            Self::Kebab => field.replace('_', "-"),
            Self::UpperKebab => field.to_ascii_uppercase().replace('_', "-"),
            Self::Pascal => pascal(field),
            Self::Camel => {
                let mut name = pascal(field);
                if let Some(first) = name.get_mut(..1) {
                    first.make_ascii_lowercase();
                }
                name
            }
        }
    }
}

fn pascal(field: &str) -> String {
    let mut name = String::new();
    let mut capital = true;
    for c in field.chars() {
        match c {
            '_' => capital = true,
            c if capital => {
                name.push(c.to_ascii_uppercase());
                capital = false;
            }
            c => name.push(c),
        }
    }
    name
}

/// Calls `each` with the words of a `#[serde(..)]`. What only some builds have, in a `cfg_attr`, is unclear.
fn each_word(attribute: &Attribute, unclear: &mut Option<String>, mut each: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>) {
    if attribute.path().is_ident("cfg_attr") {
        let mentions_serde = attribute.meta.require_list().is_ok_and(|list| {
            let text = list.tokens.to_string();
            text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "serde")
        });
        if mentions_serde {
            *unclear = Some("cfg_attr".to_owned());
        }
        return;
    }
    if !attribute.path().is_ident("serde") {
        return;
    }
    let read = attribute.parse_nested_meta(|meta| match meta.path.get_ident() {
        Some(word) => each(&word.to_string(), &meta),
        None => skip(&meta),
    });
    if read.is_err() {
        *unclear = Some("serde".to_owned());
    }
}

/// Passes over `= value` or `(..)`.
fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    text(meta).map(drop)
}

/// The text behind `=`; nothing of what stands in parentheses.
fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if meta.input.peek(Token![=]) {
        return Ok(as_text(&meta.value()?.parse()?));
    }
    if meta.input.peek(token::Paren) {
        let inside;
        syn::parenthesized!(inside in meta.input);
        inside.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(None)
}

/// The name that is written: `= ".."`, or `(serialize = "..", deserialize = "..")`.
fn renamed(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if !meta.input.peek(token::Paren) {
        return text(meta);
    }
    let inside;
    syn::parenthesized!(inside in meta.input);
    let inside: ParseStream<'_> = &inside;
    let mut written = None;
    while !inside.is_empty() {
        let word: Ident = inside.parse()?;
        inside.parse::<Token![=]>()?;
        let name = as_text(&inside.parse()?);
        if word == "serialize" {
            written = name;
        }
        inside.parse::<Option<Token![,]>>()?;
    }
    Ok(written)
}

fn as_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::{DeriveInput, parse_quote};

    #[track_caller]
    fn names(input: &DeriveInput) -> Vec<String> {
        let container = Container::read(&input.attrs);
        let syn::Data::Struct(data) = &input.data else { panic!("a struct") };
        let name = |field: &syn::Field| container.name(field.ident.as_ref().expect("a name"), &Words::read(&field.attrs));
        data.fields.iter().map(name).collect()
    }

    #[test]
    fn names_follow_the_rules_of_serde() {
        for (rule, first, second) in [
            ("lowercase", "order_id", "r2_d2"),
            ("UPPERCASE", "ORDER_ID", "R2_D2"),
            ("PascalCase", "OrderId", "R2D2"),
            ("camelCase", "orderId", "r2D2"),
            ("snake_case", "order_id", "r2_d2"),
            ("SCREAMING_SNAKE_CASE", "ORDER_ID", "R2_D2"),
            ("kebab-case", "order-id", "r2-d2"),
            ("SCREAMING-KEBAB-CASE", "ORDER-ID", "R2-D2"),
        ] {
            let input = parse_quote! { #[serde(rename_all = #rule, deny_unknown_fields)] struct E { order_id: i64, r2_d2: i64 } };
            assert_eq!(names(&input), [first, second], "{rule}");
        }
    }

    #[test]
    fn a_name_of_its_own_goes_before_the_rule_and_what_is_written_counts() {
        let input = parse_quote! {
            #[serde(rename_all(serialize = "camelCase", deserialize = "snake_case"), bound(serialize = "T: X"))]
            struct E {
                #[serde(default, rename = "no.")] order_no: i64,
                #[serde(rename(deserialize = "b", serialize = "a"), alias = "c")] order_a: i64,
                r#type: i64,
                of_all: i64,
            }
        };
        assert_eq!(names(&input), ["no.", "a", "type", "ofAll"]);
    }

    #[test]
    fn what_cannot_be_followed_is_unclear() {
        for input in [
            parse_quote! { #[serde(transparent)] struct E { a: i64 } },
            parse_quote! { #[serde(into = "Other")] struct E { a: i64 } },
            parse_quote! { #[serde(rename_all = "Spongebob")] struct E { a: i64 } },
            parse_quote! { #[cfg_attr(feature = "x", serde(rename_all = "camelCase"))] struct E { a: i64 } },
        ] {
            let input: DeriveInput = input;
            assert!(Container::read(&input.attrs).unclear.is_some());
        }
        let field: syn::Field = parse_quote!(#[cfg_attr(test, serde(rename = "x"))] a: i64);
        assert!(Words::read(&field.attrs).unclear.is_some());
    }
}
