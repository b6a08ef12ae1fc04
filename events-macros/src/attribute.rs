//! The inside of `#[macro(key = value, flag)]`, read leniently: every mistake is reported, and what was probably meant
//! is kept, so that one slip does not cause a second message further on.

use crate::{
    errors::Errors,
    nearest::{list, nearest},
};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, Expr, Ident, LitStr, Result, Token, Visibility,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    token,
};

/// A key that a macro knows.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// How it is written, shown when it is written differently.
    pub(crate) example: &'static str,
    pub(crate) repeatable: bool,
}

/// The keys of one macro.
pub(crate) struct Keys {
    /// Such as `domain_event`.
    pub(crate) of: &'static str,
    /// The first one is what a value without a key is taken for.
    pub(crate) known: &'static [Key],
    /// Keys that make sense elsewhere, and why not here.
    pub(crate) refused: &'static [(&'static str, &'static str)],
}

/// One `key = value`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
    pub(crate) example: &'static str,
}

/// What follows a key.
pub(crate) enum Value {
    Nothing,
    Expr(Expr),
    /// Something that has been reported already.
    Broken,
}

/// All entries of one annotation.
pub(crate) struct Annotation(Vec<Entry>);

impl Annotation {
    /// Reads the tokens between the annotation's parentheses.
    pub(crate) fn parse(tokens: TokenStream, keys: &Keys, errors: &mut Errors) -> Self {
        let read = |input: ParseStream<'_>| Ok(read_entries(input, keys, errors));
        let entries = read.parse2(tokens).unwrap_or_default();
        let mut annotation = Self(Vec::new());
        for (key, value) in entries {
            annotation.admit(&key, value, keys, errors);
        }
        annotation
    }

    /// The entry of a key that may be given once.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        self.take_all(key).into_iter().next()
    }

    /// The entries of a key that may be repeated.
    pub(crate) fn take_all(&mut self, key: &str) -> Vec<Entry> {
        self.0.extract_if(.., |entry| entry.key == key).collect()
    }

    fn admit(&mut self, key: &Ident, value: Value, keys: &Keys, errors: &mut Errors) {
        let Some(known) = keys.meant_by(key, errors) else { return };
        let given = self.0.iter().any(|entry| entry.key == known.name);
        if given && !known.repeatable {
            return errors.at(key.span(), format_args!("`{}` is given twice; keep one of them", known.name));
        }
        let key = Ident::new(known.name, key.span());
        self.0.push(Entry { key, value, example: known.example });
    }
}

impl Keys {
    fn find(&self, name: &str) -> Option<&Key> {
        self.known.iter().find(|known| known.name == name)
    }

    /// The key that was written or, if that is unknown, the one that was probably meant.
    fn meant_by(&self, key: &Ident, errors: &mut Errors) -> Option<&Key> {
        let name = key.unraw().to_string();
        if let Some(known) = self.find(&name) {
            return Some(known);
        }
        if let Some((_, reason)) = self.refused.iter().find(|(refused, _)| *refused == name) {
            errors.at(key.span(), reason);
            return None;
        }
        let names = || self.known.iter().map(|known| known.name);
        let meant = nearest(&name, names());
        let hint = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        errors.at(key.span(), format_args!("unknown key `{name}`; {hint}`#[{}]` takes {}", self.of, list(names())));
        meant.and_then(|meant| self.find(meant))
    }

    fn first(&self) -> &Key {
        &self.known[0]
    }
}

fn read_entries(input: ParseStream<'_>, keys: &Keys, errors: &mut Errors) -> Vec<(Ident, Value)> {
    let mut entries = Vec::new();
    while !input.is_empty() {
        match read_entry(input, keys, errors) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                errors.push(error);
                skip_to_comma(input);
            }
        }
        if input.parse::<Option<Token![,]>>().is_ok_and(|comma| comma.is_none()) && !input.is_empty() {
            errors.at(input.span(), "expected `,` between two keys");
            // Without a key to go on with, the rest would be a riddle.
            if !input.peek(Ident::peek_any) {
                skip_to_comma(input);
                let _ = input.parse::<Option<Token![,]>>();
            }
        }
    }
    entries
}

fn read_entry(input: ParseStream<'_>, keys: &Keys, errors: &mut Errors) -> Result<(Ident, Value)> {
    let Key { name: first, example, .. } = keys.first();
    if let Ok(text) = input.fork().parse::<LitStr>() {
        input.parse::<LitStr>()?;
        errors.at(text.span(), format_args!("a value needs its key; write `{first} = {}`", text.token()));
        return Ok((Ident::new(first, text.span()), Value::Expr(syn::parse_quote!(#text))));
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format_args!("expected a key, such as `{example}`")));
    }
    let key = input.call(Ident::parse_any)?;
    let value = read_value(input, &key, errors);
    Ok((key, value))
}

fn read_value(input: ParseStream<'_>, key: &Ident, errors: &mut Errors) -> Value {
    if input.peek(token::Paren) || (input.peek(Token![:]) && !input.peek(Token![::])) {
        errors.at(input.span(), format_args!("a value follows `=`; write `{key} = ...`"));
        skip_to_comma(input);
        return Value::Broken;
    }
    let Ok(equals) = input.parse::<Token![=]>() else { return Value::Nothing };
    if input.is_empty() || input.peek(Token![,]) {
        errors.at(equals.span, format_args!("`{key} =` lacks its value"));
        return Value::Broken;
    }
    input.parse().map(Value::Expr).unwrap_or_else(|error| {
        errors.push(error);
        skip_to_comma(input);
        Value::Broken
    })
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _ = input.parse::<TokenTree>();
    }
}

/// The word that says what an item is, such as `struct`: what comes after its attributes and its visibility.
pub(crate) fn keyword(item: TokenStream) -> Span {
    let first = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let span = input.span();
        input.parse::<TokenStream>().map(|_| span)
    };
    first.parse2(item).unwrap_or_else(|error| error.span())
}

/// The annotation as a whole, for what it lacks. Resolved like `near`, a token of the user's, because an error that
/// points at [`Span::call_site`] itself would add a note on the macro it originates in.
pub(crate) fn whole(near: Span) -> Span {
    Span::call_site().resolved_at(near)
}
