//! Texts of the libraries, as a user of the command reads them.

/// Hints name keys of a config, ``set `key = value` under [data]``. A command that reads a table without a config takes
/// them as options: ``add `--set 'data.key=value'` ``.
pub(crate) fn as_options(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(line_as_options).collect();
    lines.join("\n")
}

fn line_as_options(line: &str) -> String {
    if !line.contains("set `") {
        return line.to_owned(); // it says how a model was trained, or how to train another
    }
    let mut out = String::with_capacity(line.len());
    let mut changed = false;
    for (i, part) in line.split('`').enumerate() {
        let quoted = i % 2 == 1;
        match part.split_once(" = ").filter(|(key, _)| quoted && is_key(key)) {
            Some((key, value)) => {
                changed = true;
                if let Some(before) = out.strip_suffix("set ") {
                    out.truncate(before.len());
                    out += "add ";
                }
                out += &format!("`--set 'data.{key}={value}'`");
            }
            None if quoted => out += &format!("`{part}`"),
            None => out += part,
        }
    }
    match changed {
        true => out.replace(" under [data]", ""),
        false => line.to_owned(),
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Paths below the current folder as such, without the way there.
pub(crate) fn from_here(text: &str) -> String {
    match std::env::current_dir() {
        Ok(here) if here.parent().is_some() => text.replace(&format!("{}/", here.display()), ""),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_options() {
        for (hint, option) in [
            (
                "sort the rows, or set `unsorted = \"sort\"` under [data]",
                "sort the rows, or add `--set 'data.unsorted=\"sort\"'`",
            ),
            (
                "set `decimal = \",\"` or `thousands = \",\"` under [data]",
                "add `--set 'data.decimal=\",\"'` or `--set 'data.thousands=\",\"'`",
            ),
            ("trained with `fill = \"error\"`", "trained with `fill = \"error\"`"),
            ("as `fill` under [data] says", "as `fill` under [data] says"),
            ("an open ` sign", "an open ` sign"),
        ] {
            assert_eq!(as_options(hint), option);
        }
    }
}
